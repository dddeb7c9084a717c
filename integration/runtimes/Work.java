// What Java programs do: many threads, code made at run time, shared maps, children, watching, loading classes.
import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Work {
	static String digest(byte[] bytes) throws Exception {
		byte[] sum = MessageDigest.getInstance("SHA-256").digest(bytes);
		return String.format("%02x%02x%02x%02x", sum[0], sum[1], sum[2], sum[3]);
	}

	static void threads() throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(32);
		List<Future<String>> sums = new ArrayList<>();
		Files.createDirectory(Path.of("made"));
		for (int n = 0; n < 100; n++) {
			Path name = Path.of("made/" + n);
			String text = name.toString().repeat(n * 50);
			sums.add(pool.submit(() -> {
				Files.writeString(name, text);
				return digest(Files.readAllBytes(name));
			}));
		}
		StringBuilder all = new StringBuilder();
		for (Future<String> sum : sums)
			all.append(sum.get());
		pool.shutdown();
		System.out.println("threads " + digest(all.toString().getBytes()) + " " + pool.awaitTermination(9, TimeUnit.SECONDS));
	}

	static long collatz(long n) {
		long steps = 0;
		for (; n != 1; steps++)
			n = n % 2 == 0 ? n / 2 : 3 * n + 1;
		return steps;
	}

	static void compiled() {
		long total = 0;
		for (int n = 1; n < 300000; n++)
			total += collatz(n);
		System.out.println("compiled " + total);
	}

	static void maps() throws Exception {
		try (FileChannel channel = FileChannel.open(Path.of("big.bin"), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			MappedByteBuffer map = channel.map(FileChannel.MapMode.READ_WRITE, 4096, 1 << 20);
			byte[] bytes = new byte[1 << 20];
			map.get(bytes);
			System.out.println("mapped " + digest(bytes));
			map.position(100000);
			map.put("written through the map".getBytes());
			map.force();
			FileLock lock = channel.lock(0, 100, false);
			System.out.println("locked " + lock.isValid());
			lock.release();
			try (FileChannel copy = FileChannel.open(Path.of("copy"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
				System.out.println("transferred " + channel.transferTo(0, channel.size(), copy));
			}
		}
	}

	static void children() throws Exception {
		Process child = new ProcessBuilder("sh", "-c", "read word; echo \"child $word\"; pwd -P >&2; exit 3")
			.directory(new File("dir")).redirectError(new File("child.err")).start();
		child.getOutputStream().write("told\n".getBytes());
		child.getOutputStream().close();
		System.out.print(new String(child.getInputStream().readAllBytes()));
		System.out.println("exit " + child.waitFor());
		try {
			new ProcessBuilder("./nowhere").start();
		} catch (IOException e) {
			System.out.println(e.getMessage());
		}
	}

	static void watching() throws Exception {
		WatchService watcher = FileSystems.getDefault().newWatchService();
		Path emptied = Path.of("emptydir");
		emptied.register(watcher, StandardWatchEventKinds.ENTRY_CREATE);
		Files.writeString(emptied.resolve("new"), "x");
		WatchKey key = watcher.poll(20, TimeUnit.SECONDS);
		for (WatchEvent<?> event : key.pollEvents())
			System.out.println("watched " + event.kind() + " " + event.context());
		watcher.close();
	}

	static void classes() throws Exception {
		javax.tools.JavaCompiler compiler = javax.tools.ToolProvider.getSystemJavaCompiler();
		Files.writeString(Path.of("Other.java"), "public class Other { public String toString() { return \"loaded\"; } }");
		System.out.println("javac " + compiler.run(null, null, null, "Other.java"));
		try (java.util.jar.JarOutputStream jar = new java.util.jar.JarOutputStream(new FileOutputStream("other.jar"))) {
			java.util.zip.ZipEntry entry = new java.util.zip.ZipEntry("Other.class");
			entry.setTime(1_500_000_000_000L);
			jar.putNextEntry(entry);
			jar.write(Files.readAllBytes(Path.of("Other.class")));
		}
		Files.delete(Path.of("Other.class"));
		try (URLClassLoader loader = new URLClassLoader(new URL[] { new File("other.jar").toURI().toURL() })) {
			System.out.println(loader.loadClass("Other").getDeclaredConstructor().newInstance());
		}
	}

	static void sockets() throws Exception {
		UnixDomainSocketAddress address = UnixDomainSocketAddress.of("socket");
		try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
			server.bind(address);
			Thread other = new Thread(() -> {
				try (SocketChannel to = SocketChannel.open(address)) {
					to.write(ByteBuffer.wrap("over a socket".getBytes()));
				} catch (IOException e) {
					System.out.println(e);
				}
			});
			other.start();
			ByteBuffer room = ByteBuffer.allocate(100);
			try (SocketChannel from = server.accept()) {
				while (from.read(room) > 0);
			}
			other.join();
			System.out.println(new String(room.array(), 0, room.position()));
		}
		Files.delete(Path.of("socket"));
	}

	public static void main(String[] args) throws Exception {
		System.out.println(String.join("|", args) + " " + ProcessHandle.current().info().command().orElse("?"));
		threads();
		compiled();
		maps();
		children();
		watching();
		classes();
		sockets();
		Integer none = args.length > 100 ? 1 : null;
		try {
			System.out.println(none + 1);
		} catch (NullPointerException e) {
			System.out.println("a fault of the program's own");
		}
		try (Stream<Path> walk = Files.walk(Path.of("tree"))) {
			System.out.println(walk.map(Path::toString).sorted().collect(Collectors.joining(" ")));
		}
		Path small = Path.of("small.txt");
		Files.setLastModifiedTime(small, FileTime.fromMillis(1_500_000_000_123L));
		Files.setPosixFilePermissions(small, PosixFilePermissions.fromString("rw-r-----"));
		System.out.println(PosixFilePermissions.toString(Files.getPosixFilePermissions(small)) + " " + Files.size(small));
		Files.walk(Path.of("made")).sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
		System.exit(5);
	}
}
