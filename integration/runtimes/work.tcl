# What Tcl programs do: channels, events, exec pipelines, glob, clock, file commands.
proc say {args} { puts stdout $args; flush stdout }
set in [open lines.txt]; set count 0; while {[gets $in line] >= 0} {incr count}; close $in; say lines $count
set out [open made w]; fconfigure $out -translation binary; puts -nonewline $out [string repeat \x00\xff 5000]; close $out; say [file size made]
say [exec sort -r << "a\nc\nb" | tr a-z A-Z]
say [catch {exec sh -c {exit 3}} result options] [lindex [dict get $options -errorcode] 2]
say [lsort [glob dir/*]] [file type link] [file readlink link] [file normalize dirlink/../link]
file copy big.bin copied; file rename copied moved; say [file size moved]; file mkdir a/b/c; file delete -force a; say [file exists a]
set pipe [open "|cat small.txt"]; fileevent $pipe readable {if {[gets $pipe line] >= 0} {say got $line} else {set done 1}}; vwait done; close $pipe
after 10 {set timer 1}; vwait timer
file mtime empty 1500000000; say [file mtime empty]; say [catch {open nowhere} text] $text
exit 3
