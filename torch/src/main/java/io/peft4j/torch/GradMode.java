package io.peft4j.torch;

import ai.djl.engine.Engine;
import ai.djl.pytorch.jni.JniUtils;

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

    private final boolean before;

    private GradMode(boolean enable) {
        Engine.getEngine("PyTorch"); // the native library must be there before the first JNI call
        before = JniUtils.isGradMode();
        JniUtils.setGradMode(enable);
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

    /** Puts back the mode from before. */
    @Override
    public void close() {
        JniUtils.setGradMode(before);
    }
}
