# How ld.so finds libraries, and ld.so as the program.
LOADER=/lib64/ld-linux-x86-64.so.2
exec 2>&1
$R/use
(cd dir && $R/use)
$R/use-unset; echo $?
LD_LIBRARY_PATH=$R/lib $R/use-unset
ln -s $R/use dir/elsewhere; dir/elsewhere; rm dir/elsewhere
cp -r $R/lib here; cp $R/use-unset $R/use-relative .
LD_LIBRARY_PATH=here ./use-unset
mv here lib; ./use-relative
LD_PRELOAD=./lib/libplus.so cat small.txt
LD_PRELOAD=$R/lib/libplus.so sh -c 'cat small.txt'
LD_PRELOAD=/nowhere.so cat small.txt
LD_AUDIT=$R/audit.so cat small.txt
$LOADER $R/use
$LOADER --library-path $R/lib $R/use-unset
$LOADER --list $R/use
$LOADER --verify $R/use; echo $?
$LOADER $R/bare-plain; echo $?
$LOADER ./nowhere; echo $?
ldd $R/use
LD_TRACE_LOADED_OBJECTS=1 $R/use-unset
LD_DEBUG=libs $R/use 2>&1 | grep -c libplus
LD_BIND_NOW=1 $R/use
LD_SHOW_AUXV=1 $R/use | cut -d: -f1
./lib/libplus.so; echo $?
/lib/x86_64-linux-gnu/libc.so.6 | head -1
rm -r lib use-unset use-relative
