# Archives and compressors, through pipes and files.
set -e
tar czf - --mtime=@0 --sort=name dir odd tree big.bin sparse.bin | tar xzf - -C emptydir
diff -r dir emptydir/dir
cmp sparse.bin emptydir/sparse.bin
gzip -9nk big.bin
gzip -dc big.bin.gz | cmp - big.bin
xz -k lines.txt
xz -dc lines.txt.xz | cmp - lines.txt
tar cf all.tar dir && tar tf all.tar | sort
