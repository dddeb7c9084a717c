import java.io.File;

/** Threads, safepoints, implicit null checks, garbage collection, a child. */
public class Tour {
	public static void main(String[] arguments) throws Exception {
		Thread[] threads = new Thread[20];
		for (int i = 0; i < threads.length; i++) {
			threads[i] = new Thread(() -> {
				for (int j = 0; j < 200; j++) {
					new File("/etc").list();
					byte[] garbage = new byte[100000];
					garbage[j] = 1;
				}
			});
			threads[i].start();
		}
		for (Thread thread : threads)
			thread.join();
		int caught = 0;
		for (int i = 0; i < 20000; i++)
			try {
				Object nothing = i % 2 == 0 ? null : "x";
				nothing.hashCode();
			} catch (NullPointerException e) {
				caught++;
			}
		System.out.println(caught);
		Process child = new ProcessBuilder("sh", "-c", "echo child").start();
		System.out.print(new String(child.getInputStream().readAllBytes()));
		System.out.println(child.waitFor());
	}
}
