package io.peft4j.mlflow;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import org.mlflow.api.proto.Service.Metric;

/** The numbers that are not yet sent. When there are too many the oldest go. */
final class Backlog {

    /** What a server takes at once. */
    static final int BATCH = 1000;

    static final int MOST = 200_000;

    private final Deque<Metric> waiting = new ArrayDeque<>();
    private long lost;

    /** Sends some numbers. */
    interface Sink {
        /**
         * Sends them.
         *
         * @return false if the server refuses these very numbers, which never will be taken
         * @throws IOException if they cannot be sent now
         */
        boolean send(List<Metric> batch) throws IOException;
    }

    synchronized void add(int step, Map<String, Double> metrics) {
        long now = System.currentTimeMillis();
        metrics.forEach(
                (name, value) -> {
                    if (waiting.size() == MOST) {
                        waiting.removeFirst();
                        lost++;
                    }
                    waiting.addLast(
                            Metric.newBuilder()
                                    .setKey(name)
                                    .setValue(value)
                                    .setStep(step)
                                    .setTimestamp(now)
                                    .build());
                });
    }

    /** Sends all there is, oldest first; on an exception the rest stays. */
    void drain(Sink sink) throws IOException {
        for (List<Metric> batch = take(); !batch.isEmpty(); batch = take()) {
            boolean sent = false;
            try {
                if (!sink.send(batch)) {
                    lose(batch.size());
                }
                sent = true;
            } finally {
                if (!sent) {
                    putBack(batch);
                }
            }
        }
    }

    private synchronized List<Metric> take() {
        List<Metric> batch = new ArrayList<>();
        while (batch.size() < BATCH && !waiting.isEmpty()) {
            batch.add(waiting.removeFirst());
        }
        return batch;
    }

    private synchronized void putBack(List<Metric> batch) {
        for (int i = batch.size() - 1; i >= 0; i--) {
            waiting.addFirst(batch.get(i));
        }
    }

    private synchronized void lose(int count) {
        lost += count;
    }

    /** How many were never sent, those that still wait among them. */
    synchronized long lost() {
        return lost + waiting.size();
    }
}
