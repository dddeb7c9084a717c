# Programs that watch themselves: they read /proc/self/maps, claim large ranges of addresses, catch their own faults.
exec 2>&1
export ASAN_OPTIONS=symbolize=0 LSAN_OPTIONS=symbolize=0
$R/san-address
$R/san-address heap | grep -E 'ERROR|SUMMARY' | cut -d' ' -f2-3
$R/san-address leak | grep SUMMARY
$R/san-address segv | grep ERROR | cut -d' ' -f2-3
$R/san-undefined shift
$R/san-thread
$R/san-thread race | grep WARNING | cut -d' ' -f2-4
$R/san-leak leak | grep SUMMARY
$R/san-profile && ls gmon.out && rm gmon.out
$R/san-plain segv; echo $?
