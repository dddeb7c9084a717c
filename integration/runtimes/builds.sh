# Projects as people build them: make -j2, cmake, a Python package installed into an environment of its own.
exec 2>&1
set -e
mkdir app && cd app
for n in 1 2 3 4 5 6; do echo "int f$n(int x) { return x + $n; }" >f$n.c; done
printf '#include <stdio.h>\nint f1(int); int f6(int);\nint main(void) { printf("%%d\\n", f1(f6(0))); }\n' >main.c
printf 'app: $(patsubst %%.c,%%.o,$(wildcard *.c))\n\tgcc -o $@ $^\n' >Makefile
make -s -j2 && ./app && make && touch f3.c && make -n | wc -l
printf 'cmake_minimum_required(VERSION 3.18)\nproject(app C)\nfile(GLOB s *.c)\nadd_executable(app ${s})\nenable_testing()\nadd_test(runs app)\n' >CMakeLists.txt
if command -v cmake >/dev/null; then
	cmake -S . -B out >/dev/null && cmake --build out -j2 >/dev/null && out/app && (cd out && ctest 2>&1 | grep 'tests passed')
fi
cd ..
mkdir -p package/small && echo 'def told(): return "from a wheel"' >package/small/__init__.py
printf '[project]\nname = "small"\nversion = "1"\n' >package/METADATA
python3 - <<'P'
import zipfile
with zipfile.ZipFile("small-1-py3-none-any.whl", "w") as wheel:
    wheel.write("package/small/__init__.py", "small/__init__.py")
    wheel.writestr("small-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1\n")
    wheel.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("small-1.dist-info/RECORD", "small/__init__.py,,\nsmall-1.dist-info/METADATA,,\nsmall-1.dist-info/WHEEL,,\nsmall-1.dist-info/RECORD,,\n")
P
export PIP_NO_CACHE_DIR=1 # it would be outside of the working directory
/usr/bin/python3 -m venv env
env/bin/pip install -q --no-index --disable-pip-version-check ./small-1-py3-none-any.whl
env/bin/python -c 'import small, sys; print(small.told(), sys.prefix.endswith("/env"))'
env/bin/pip list --disable-pip-version-check --no-index 2>/dev/null | grep small
rm -rf app package env small-1-py3-none-any.whl
