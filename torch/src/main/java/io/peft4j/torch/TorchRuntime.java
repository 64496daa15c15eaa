package io.peft4j.torch;

import ai.djl.engine.Engine;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.pytorch.jni.LibUtils;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What libtorch keeps per process. */
public final class TorchRuntime {

    /** Where DJL unpacks its own libraries, such as {@code 2.7.1-20250812-cpu-linux-x86_64}. */
    private static final Pattern UNPACKED =
            Pattern.compile("[0-9.]+(-[0-9]+)?-(?<flavor>\\w+(-precxx11)?)-(linux|osx|win)-\\w+");

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
     * @return such as {@code cpu} or {@code cu128}; {@code supplied} if the library is the user's
     *     own
     */
    public static String flavor() {
        engine();
        // DJL's Platform would tell it, and log what it thinks of the machine's CUDA each time
        String directory = String.valueOf(Path.of(LibUtils.getLibtorchPath()).getFileName());
        Matcher unpacked = UNPACKED.matcher(directory);
        return unpacked.matches() ? unpacked.group("flavor") : "supplied";
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
