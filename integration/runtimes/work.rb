# What Ruby programs do: IO, threads, fork, popen, FileUtils, Dir.glob.
require 'fileutils'; require 'socket'; require 'tempfile'; require 'digest'
$stdout.sync = true
puts Digest::SHA256.file('big.bin').hexdigest
puts 16.times.map { |n| Thread.new { File.write("t#{n}", 'x' * n * 1000); File.size("t#{n}") } }.map(&:value).sum
puts IO.popen(%w[sort -r small.txt], &:read)
reader, writer = IO.pipe
pid = fork { reader.close; writer.puts "child"; exit! 3 }
writer.close; puts reader.read; puts Process.wait2(pid)[1].exitstatus
UNIXServer.open('socket') { |s| t = Thread.new { UNIXSocket.open('socket') { |c| c.puts 'over a socket' } }; puts s.accept.gets; t.join }
puts Dir.glob('{dir,tree}/**/*').sort
FileUtils.cp_r('tree', 'copied', preserve: true); FileUtils.mv('copied/1', 'copied/one'); puts Dir.children('copied/one').sort
Tempfile.create('t', 'emptydir') { |f| f.write('abc'); f.flush; puts File.size(f.path) }
puts `printf hello; exit 5`, $?.exitstatus
trap('USR1') { puts 'signal' }; Process.kill('USR1', Process.pid); sleep 0.01
begin File.open('nowhere') rescue puts $!.class end
File.open('log', 'a') { |f| f.flock(File::LOCK_EX); f.puts 'x' }
exec 'sh', '-c', 'exit 6'
