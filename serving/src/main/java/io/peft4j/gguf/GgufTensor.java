package io.peft4j.gguf;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Pattern;

/** A float32 tensor to write into a {@link GgufFile}. */
final class GgufTensor {

    /** What ggml holds at most: GGML_MAX_NAME less the terminating zero. */
    private static final int LONGEST_NAME = 63;

    private static final int MOST_AXES = 4;
    private static final Pattern NAME = Pattern.compile("[\\x21-\\x7e]+");

    private final String name;
    private final long[] shape;
    private final float[] values;

    /**
     * Takes a tensor.
     *
     * @param name its name
     * @param shape the sizes, outermost first as in NumPy
     * @param values the elements, row by row; not copied
     * @throws IllegalArgumentException if llama.cpp could not load it
     */
    GgufTensor(String name, long[] shape, float[] values) {
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > LONGEST_NAME || !NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "a tensor's name has 1 to "
                            + LONGEST_NAME
                            + " visible ASCII characters, but one of "
                            + bytes
                            + " bytes was given: "
                            + printable(name));
        }
        if (shape.length < 1 || shape.length > MOST_AXES) {
            throw new IllegalArgumentException(
                    name + ": expected 1 to " + MOST_AXES + " axes, found " + shape.length);
        }
        long elements = 1;
        for (long size : shape) {
            if (size < 1) {
                throw new IllegalArgumentException(
                        name + ": every axis has a size of at least 1, found " + size);
            }
            elements = Math.multiplyExact(elements, size);
        }
        if (elements != values.length) {
            throw new IllegalArgumentException(
                    String.format(
                            "%s: the shape %s has %d elements, but %d values were given",
                            name, Arrays.toString(shape), elements, values.length));
        }
        for (int i = 0; i < values.length; i++) {
            if (!Float.isFinite(values[i])) {
                throw new IllegalArgumentException(
                        name
                                + ": element "
                                + i
                                + " is "
                                + values[i]
                                + ", expected a finite number");
            }
        }
        this.name = name;
        this.shape = shape.clone();
        this.values = values;
    }

    private static String printable(String text) {
        String plain = text.replaceAll("[^\\x20-\\x7e]", "?");
        return plain.length() > LONGEST_NAME ? plain.substring(0, LONGEST_NAME) + "…" : plain;
    }

    String name() {
        return name;
    }

    /** The sizes as the file has them, innermost first. */
    long[] innermostFirst() {
        long[] reversed = new long[shape.length];
        for (int i = 0; i < shape.length; i++) {
            reversed[i] = shape[shape.length - 1 - i];
        }
        return reversed;
    }

    float[] values() {
        return values;
    }

    long byteCount() {
        return 4L * values.length;
    }
}
