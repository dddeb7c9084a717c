# Signals, backticks, file tests.
$SIG{ALRM} = sub { print "alarm\n" };
alarm 1;
sleep 3;
print `echo hi`, -e "/etc/passwd", "\n";
my $pid = fork;
exit 4 if $pid == 0;
waitpid $pid, 0;
print $? >> 8, "\n";
