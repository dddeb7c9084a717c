// Worker threads of libuv, a child, a caught exception.
const { execSync } = require("child_process");
const { readFileSync } = require("fs");
console.log(execSync("echo hi; exit 0").toString(), readFileSync("/etc/hostname").length > 0);
try { execSync("exit 3", { stdio: "ignore" }); } catch (e) { console.log(e.status); }
