"""Locales, encodings, time zones, codecs and large imports come from home.
env: LANG=C.UTF-8
env: TZ=Europe/Berlin
"""

import decimal
import email.message
import encodings.idna  # noqa: F401
import json
import locale
import re
import sys
import time
import unicodedata
import xml.dom.minidom

print(sys.getfilesystemencoding(), locale.setlocale(locale.LC_ALL, ""))
print(time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(0)), time.tzname)
print(unicodedata.name("é"), "ß".upper(), re.findall(r"\w+", "naïve café"))
print(decimal.Decimal(1) / 3, json.loads('{"a": [1, 2.5, null]}'))
message = email.message.EmailMessage()
message["Subject"] = "Grüße"
print(message.as_string())
print(xml.dom.minidom.parseString("<a><b c='1'/></a>").toxml())
print(len(sys.modules) > 50, open("odd/日本", encoding="utf-8").read())
