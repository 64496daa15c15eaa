package io.peft4j.cli;

import ai.djl.Device;
import ai.djl.engine.Engine;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads {@code --device}. */
final class Devices {

    private static final Pattern GPU = Pattern.compile("gpu(\\d{0,3})");

    private Devices() {}

    static void checkName(String text) {
        if (!text.equals("cpu") && !GPU.matcher(text).matches()) {
            throw new UsageException(
                    "--device must be cpu, gpu or gpuN such as gpu1, but is \"" + text + "\"");
        }
    }

    /** Finds a device; for a GPU this starts the engine. */
    static Device parse(String text) {
        Matcher matcher = GPU.matcher(text);
        if (!matcher.matches()) {
            return Device.cpu();
        }
        int number = matcher.group(1).isEmpty() ? 0 : Integer.parseInt(matcher.group(1));
        int count = Engine.getEngine("PyTorch").getGpuCount();
        if (number >= count) {
            throw new UsageException(
                    "--device "
                            + text
                            + ": "
                            + (count == 0
                                    ? "no GPU can be used; it takes an NVIDIA GPU and"
                                            + " PEFT4J_CUDA=1, or use --device cpu"
                                    : "there are only the GPUs gpu0 to gpu" + (count - 1)));
        }
        return Device.gpu(number);
    }
}
