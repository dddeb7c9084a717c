"""Logs are rotated under their writer: rename and create, copy and truncate; logging's own handler."""

import logging
import logging.handlers
import os

from say import listing

writer = open("app.log", "a", buffering=1)
writer.write("before\n")
os.rename("app.log", "app.log.1")
writer.write("to the renamed file\n")
reopened = open("app.log", "a", buffering=1)
reopened.write("after\n")
print(open("app.log").read(), open("app.log.1").read())
appender = open("app.log", "a", buffering=1)
os.system("cp app.log app.copy; : > app.log")
appender.write("after truncation\n")
print(repr(open("app.log").read()), os.stat("app.log").st_size)
os.makedirs("logs")
handler = logging.handlers.RotatingFileHandler("logs/rotating.log", maxBytes=500, backupCount=3)
logger = logging.getLogger("test")
logger.addHandler(handler)
for number in range(60):
    logger.warning("message %03d", number)
handler.close()
for name in listing("logs"):
    print(name, os.stat(name).st_size, open(name).readline().strip())
