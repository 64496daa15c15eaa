package io.peft4j.torch;

import ai.djl.engine.Engine;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.util.Platform;
import ai.djl.util.Utils;

/** What libtorch keeps per process. */
public final class TorchRuntime {

    private TorchRuntime() {}

    /**
     * Returns how many threads one operation may use. Another number rounds sums otherwise.
     *
     * @return the number of intra-op threads
     */
    public static int threads() {
        engine();
        return JniUtils.getNumThreads();
    }

    /**
     * Returns the version of libtorch.
     *
     * @return such as {@code 2.7.1}
     */
    public static String version() {
        return engine().getVersion();
    }

    /**
     * Returns the build of libtorch.
     *
     * @return such as {@code cpu} or {@code cu128}; of a library that the user supplies, what
     *     {@code PYTORCH_FLAVOR} says, else {@code supplied}
     */
    public static String flavor() {
        if (Utils.getEnvOrSystemProperty("PYTORCH_LIBRARY_PATH") == null) {
            return Platform.detectPlatform("pytorch").getFlavor();
        }
        String said = Utils.getEnvOrSystemProperty("PYTORCH_FLAVOR");
        return said == null ? "supplied" : said;
    }

    /**
     * Starts libtorch's random numbers anew, on every device.
     *
     * @param seed any number
     */
    public static void seed(long seed) {
        engine();
        JniUtils.setSeed(seed);
    }

    private static Engine engine() {
        return Engine.getEngine("PyTorch"); // loads the native library
    }
}
