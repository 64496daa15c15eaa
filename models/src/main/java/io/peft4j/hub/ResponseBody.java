package io.peft4j.hub;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The body of an answer, read while it comes, with a limit on the time between two pieces.
 *
 * <p>The client's own timeout ends with the headers, and a blocked read of its stream cannot be
 * ended from outside: a server that falls silent would hold the download for ever.
 */
final class ResponseBody implements BodySubscriber<ResponseBody>, AutoCloseable {

    private record Piece(List<ByteBuffer> buffers, boolean last, @Nullable Throwable failure) {}

    private final String source;
    private final Duration patience;
    private final BlockingQueue<Piece> pieces = new LinkedBlockingQueue<>();
    private final Queue<ByteBuffer> current = new ArrayDeque<>();
    private Flow.@Nullable Subscription subscription;
    private boolean closed;
    private boolean ended;

    ResponseBody(String source, Duration patience) {
        this.source = source;
        this.patience = patience;
    }

    @Override
    public CompletionStage<ResponseBody> getBody() {
        return CompletableFuture.completedStage(this);
    }

    @Override
    public void onSubscribe(Flow.Subscription given) {
        synchronized (this) {
            subscription = given;
            if (!closed) {
                given.request(1);
                return;
            }
        }
        given.cancel();
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        pieces.add(new Piece(buffers, false, null));
    }

    @Override
    public void onError(Throwable failure) {
        pieces.add(new Piece(List.of(), true, failure));
    }

    @Override
    public void onComplete() {
        pieces.add(new Piece(List.of(), true, null));
    }

    /**
     * Waits for the next bytes.
     *
     * @return some bytes, or null at the end
     * @throws TransientFailure if the connection was cut or fell silent
     */
    @Nullable ByteBuffer next() throws IOException {
        while (true) {
            ByteBuffer buffer = current.poll();
            if (buffer != null && buffer.hasRemaining()) {
                return buffer;
            }
            if (buffer == null) {
                if (ended) {
                    return null;
                }
                take();
            }
        }
    }

    private void take() throws IOException {
        Piece piece;
        try {
            piece = pieces.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while reading from the hub");
        }
        if (piece == null) {
            throw new TransientFailure(
                    HubException.Reason.UNREACHABLE,
                    source + ": no data for " + patience.toMillis() + " ms",
                    Duration.ZERO);
        }
        ended = piece.last;
        if (piece.failure != null) {
            throw new TransientFailure(
                    HubException.Reason.UNREACHABLE,
                    source + ": the connection was cut: " + piece.failure.getMessage(),
                    piece.failure);
        }
        current.addAll(piece.buffers);
        if (!ended) {
            synchronized (this) {
                if (subscription != null) {
                    subscription.request(1);
                }
            }
        }
    }

    /** Reads all of a small body. */
    byte[] readAll(int most) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (ByteBuffer buffer = next(); buffer != null; buffer = next()) {
            if (bytes.size() + buffer.remaining() > most) {
                throw new HubException(
                        HubException.Reason.PROTOCOL,
                        source + ": expected an answer of at most " + most + " bytes, found more");
            }
            byte[] copy = new byte[buffer.remaining()];
            buffer.get(copy);
            bytes.write(copy, 0, copy.length);
        }
        return bytes.toByteArray();
    }

    /** Gives the connection back if the body was read to its end, and closes it otherwise. */
    @Override
    public void close() {
        Flow.Subscription given;
        synchronized (this) {
            closed = true;
            given = subscription;
        }
        if (given != null && !ended) {
            given.cancel();
        }
    }
}
