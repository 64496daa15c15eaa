package io.peft4j.torch;

import ai.djl.engine.Engine;
import ai.djl.pytorch.engine.PtGradientCollector;
import ai.djl.pytorch.jni.JniUtils;
import java.lang.reflect.Field;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Whether operations of this thread record a graph for backward, as a scope:
 *
 * <pre>{@code
 * try (GradMode recording = GradMode.enabled()) { ... }
 * }</pre>
 *
 * <p>libtorch keeps the mode per thread, and DJL leaves it off on the thread that started the
 * engine and on elsewhere, so code that depends on it says so with a scope. Scopes nest.
 */
public final class GradMode implements AutoCloseable {

    private static final Field COLLECTING =
            DjlFields.field(PtGradientCollector.class, "isCollecting");

    /** Whether the innermost scope of a thread records; libtorch's mode alone says less. */
    private static final ThreadLocal<Boolean> ASKED_FOR = ThreadLocal.withInitial(() -> false);

    private final boolean before;
    private final boolean askedBefore;

    private GradMode(boolean enable) {
        Engine.getEngine("PyTorch"); // the native library must be there before the first JNI call
        before = JniUtils.isGradMode();
        askedBefore = ASKED_FOR.get();
        JniUtils.setGradMode(enable);
        ASKED_FOR.set(enable);
    }

    /**
     * Records operations until the scope is closed.
     *
     * @return the scope
     */
    public static GradMode enabled() {
        return new GradMode(true);
    }

    /**
     * Records nothing until the scope is closed.
     *
     * @return the scope
     */
    public static GradMode disabled() {
        return new GradMode(false);
    }

    /**
     * Records until the scope is closed if that was asked for, by a scope around this one or DJL's
     * gradient collector, and not if it is only how a thread starts: for inference, which somebody
     * may want gradients of.
     *
     * @return the scope
     */
    public static GradMode asAskedFor() {
        Engine.getEngine("PyTorch");
        boolean collecting =
                DjlFields.read(COLLECTING, null) instanceof AtomicBoolean open && open.get();
        return new GradMode(JniUtils.isGradMode() && (ASKED_FOR.get() || collecting));
    }

    /**
     * Tells whether this thread records operations.
     *
     * @return whether a graph for backward is built
     */
    public static boolean isRecording() {
        Engine.getEngine("PyTorch");
        return JniUtils.isGradMode();
    }

    /** Puts back the mode from before. */
    @Override
    public void close() {
        JniUtils.setGradMode(before);
        ASKED_FOR.set(askedBefore);
    }
}
