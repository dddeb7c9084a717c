# Many small files: made, packed, unpacked, copied, compared, changed, removed.
exec 2>&1
set -e
python3 - <<'P'
import os, random
numbers = random.Random(5)
for number in range(2400):
    place = f"src/d{number % 12}/e{number % 60}"
    os.makedirs(place, exist_ok=True)
    with open(f"{place}/f{number}", "wb") as file:
        file.write(numbers.randbytes(numbers.choice((0, 10, 700, 5000, 9000))))
    os.chmod(f"{place}/f{number}", numbers.choice((0o644, 0o755, 0o600, 0o444, 0o400)))
    if number % 100 == 0:
        os.symlink(f"f{number}", f"{place}/link{number}")
        os.link(f"{place}/f{number}", f"{place}/hard{number}")
    os.utime(f"{place}/f{number}", ns=(1577934245678901234, 1577934245000000000 + number * 1000003))
P
find src -exec touch -h -d 2019-05-05T05:05:05.123456789 {} +
list() { (cd "$1" && find . -printf '%p %y %m %s %n %T@ %l\n' | sort | md5sum; find . -type f -print0 | sort -z | xargs -0 md5sum | md5sum); }
list src
tar cf src.tar --sort=name --owner=0 --group=0 --numeric-owner src && md5sum <src.tar
mkdir out && tar xf src.tar -C out && list out/src
cp -a src copied && list copied
tar czf - src | (mkdir piped && tar xzf - -C piped) && list piped/src
diff -r src copied && echo the same
touch -d 2021-01-01 copied/d1/e1/f1 && chmod 600 copied/d2/e2/f2 && find copied -newer src.tar | wc -l
find copied -type f -newermt 2020-12-01 -printf '%p %m\n'
du -s --apparent-size --block-size=1 out/src/d1/e1 | cut -f1
rm -rf copied piped out/src/d3 src.tar && find . -type f | wc -l
