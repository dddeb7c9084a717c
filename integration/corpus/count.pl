# Reads, counts, globs, writes.
my %n;
open my $in, '<', 'lines.txt' or die;
while (<$in>) { $n{length} += 1 }
print map { "$_ $n{$_}\n" } sort keys %n;
open my $out, '>', 'out.txt' or die;
print $out join ',', sort glob('dir/*');
close $out;
print -s 'out.txt', "\n";
