// What Node programs do: promises over a thread pool, workers, children, watching, sockets, streams.
const fs = require("fs"), path = require("path"), net = require("net"), crypto = require("crypto");
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
const { spawn, execFileSync, fork } = require("child_process");
const { pipeline } = require("stream/promises"), zlib = require("zlib"), { once } = require("events");

const digest = (bytes) => crypto.createHash("sha256").update(bytes).digest("hex").slice(0, 12);

if (!isMainThread) {
	fs.writeFileSync(`made/worker${workerData}`, "w".repeat(workerData * 1000));
	parentPort.postMessage(digest(fs.readFileSync(`made/worker${workerData}`)));
} else if (process.argv[2] === "forked") {
	process.on("message", (told) => { process.send(told * 2); process.disconnect(); });
} else {
	main();
}

async function main() {
	await fs.promises.mkdir("made/a/b", { recursive: true });
	const names = Array.from({ length: 50 }, (_, n) => `made/a/${n}`);
	await Promise.all(names.map((name, n) => fs.promises.writeFile(name, name.repeat(n * 20))));
	const read = await Promise.all(names.map((name) => fs.promises.readFile(name)));
	console.log("promises", digest(Buffer.concat(read)));

	const workers = [1, 2, 3, 4].map((n) => once(new Worker(__filename, { workerData: n }), "message"));
	console.log("workers", (await Promise.all(workers)).join(" "));

	const child = spawn("sh", ["-c", "cat; echo done >&2; exit 4"], { stdio: ["pipe", "pipe", "inherit"] });
	child.stdin.end("through a child\n");
	child.stdout.on("data", (bytes) => process.stdout.write(bytes));
	console.log("exit", (await once(child, "close"))[0]);
	console.log("sync", execFileSync("cat", ["small.txt"]).toString().trim());
	const forked = fork(__filename, ["forked"]);
	forked.send(21);
	console.log("forked", (await once(forked, "message"))[0]);
	await once(forked, "exit");
	const missing = spawn("./nowhere");
	console.log("missing", (await once(missing, "error"))[0].code);

	const watcher = fs.watch("emptydir");
	const seen = once(watcher, "change");
	fs.writeFileSync("emptydir/new", "x");
	console.log("watched", (await seen)[1]);
	watcher.close();

	const server = net.createServer((peer) => peer.pipe(peer)).listen("socket");
	await once(server, "listening");
	const peer = net.connect("socket");
	peer.write("over a socket");
	console.log((await once(peer, "data"))[0].toString());
	peer.end();
	server.close();
	await once(server, "close");

	await pipeline(fs.createReadStream("big.bin"), zlib.createGzip(), fs.createWriteStream("big.gz"));
	console.log("zipped", digest(zlib.gunzipSync(fs.readFileSync("big.gz"))), digest(fs.readFileSync("big.bin")));
	fs.cpSync("tree", "copied", { recursive: true });
	await fs.promises.copyFile("big.bin", "big.copy", fs.constants.COPYFILE_EXCL);
	const names_of = (where) => fs.readdirSync(where, { recursive: true, withFileTypes: true })
		.map((entry) => `${entry.name}${entry.isDirectory() ? "/" : ""}`).sort().join(" ");
	console.log(names_of("copied"), names_of("dir"));
	fs.utimesSync("small.txt", 1500000000, 1500000000.5);
	console.log(fs.statSync("small.txt", { bigint: true }).mtimeNs);
	try { fs.openSync("nowhere/x"); } catch (error) { console.log(error.code, error.syscall); }
	process.on("SIGUSR2", () => { console.log("signal"); fs.rmSync("made", { recursive: true }); process.exit(6); });
	process.kill(process.pid, "SIGUSR2");
	setInterval(() => {}, 1000);
}
