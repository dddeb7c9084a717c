# A static program that is a whole user land.
busybox find dir | busybox sort
busybox md5sum big.bin
busybox ls /bin | busybox wc -l
busybox cp -a dir dir2
busybox diff -r dir dir2 && echo same
busybox awk '{ n += length($0) } END { print n }' lines.txt
busybox vi --help 2>&1 | busybox head -1 | busybox cut -c1-9
