import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** A pool of threads under a busy garbage collector: the sum is always the same. */
public class Pool {
    public static void main(String[] words) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(6);
        List<Future<Long>> sums = new ArrayList<>();
        for (int worker = 0; worker < 6; worker++) {
            final int number = worker;
            sums.add(pool.submit(() -> {
                long sum = number;
                Map<Long, String> kept = new HashMap<>();
                for (int turn = 0; turn < 150; turn++) {
                    for (int step = 0; step < 20000; step++) {
                        sum = sum * 6364136223846793005L + 1442695040888963407L;
                        kept.put(sum % 5000, "" + sum);
                    }
                    Thread.sleep(2);
                }
                return sum ^ kept.hashCode();
            }));
        }
        long total = 0;
        for (Future<Long> sum : sums) total ^= sum.get();
        pool.shutdown();
        System.out.println(total);
    }
}
