# What Perl programs do: two-argument everything, in-place edits, forks, sockets, file tests.
use strict; use warnings;
use Fcntl qw(:flock :seek); use File::Find; use File::Temp qw(tempfile); use IO::Socket::UNIX; use POSIX qw(:sys_wait_h);
$| = 1;
my %words;
open my $lines, '<', 'lines.txt' or die; while (<$lines>) { $words{(split)[0]}++ } close $lines;
print "words $words{line}\n";
{ local ($^I, @ARGV) = ('.bak', 'small.txt'); while (<>) { s/beta/BETA/; print } }
open my $edited, '<', 'small.txt' or die; print <$edited>; print -s 'small.txt.bak', "\n";
my @found; find({ wanted => sub { push @found, $File::Find::name }, no_chdir => 1 }, 'tree', 'dir'); print join(' ', sort @found), "\n";
for my $n (1 .. 4) { my $pid = fork // die; if (!$pid) { open my $out, '>>', 'log' or die; flock $out, LOCK_EX; seek $out, 0, SEEK_END; print $out "$n\n"; exit $n } }
my @codes; while ((my $pid = wait) > 0) { push @codes, $? >> 8 } print "codes @{[sort @codes]}\n"; open my $log, '<', 'log' or die; print sort <$log>; close $log; unlink 'log';
my $server = IO::Socket::UNIX->new(Local => 'socket', Listen => 1) or die;
if (!fork) { my $peer = IO::Socket::UNIX->new(Peer => 'socket') or die; print $peer "over a socket\n"; exit }
my $from = $server->accept; print scalar <$from>; wait;
print `printf '%s-' one two; exit 2`, $? >> 8, "\n";
open my $pipe, '-|', 'sort', '-r', 'small.txt' or die; print <$pipe>; close $pipe;
my ($fh, $name) = tempfile('tempXXXX', DIR => 'emptydir', UNLINK => 1); print $fh 'x' x 100000; close $fh; print -s $name, "\n"; unlink $name;
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 20; }; print $@;
print join(' ', map { -e $_ ? 1 : 0 } qw(link dangling dir nowhere)), " ", (-l 'link' ? 'link' : ''), " ", (lstat 'link')[7], "\n";
opendir my $dir, 'dir' or die; print join(' ', sort readdir $dir), "\n";
utime 1500000000, 1500000000, 'empty'; print +(stat 'empty')[9], "\n";
exec { 'sh' } 'named', '-c', 'echo "$0"; exit 4';
