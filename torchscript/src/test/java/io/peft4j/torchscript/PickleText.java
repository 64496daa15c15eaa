package io.peft4j.torchscript;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Writes pickles as torch.jit does, for tests that spoil them; a character is a byte. */
final class PickleText {

    private static final String START = "\u0080\u0002";

    /** An object without attributes yet. */
    String module(String className) {
        int dot = className.lastIndexOf('.');
        return "c"
                + className.substring(0, dot)
                + "\n"
                + className.substring(dot + 1)
                + "\n)\u0081";
    }

    String text(String text) {
        return "X" + number(text.length(), 4) + text;
    }

    String longNumber(long value) {
        return "\u008a\u0008" + number(value, 8);
    }

    /** Remembers what stands before under a number. */
    String memo(int key) {
        return "r" + number(key, 4);
    }

    String recall(int key) {
        return "j" + number(key, 4);
    }

    private static String number(long value, int bytes) {
        byte[] all = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
        return new String(all, 0, bytes, StandardCharsets.ISO_8859_1);
    }

    /** The memory of float32 elements, to be put into a tensor. */
    String storage(String key, long elements) {
        return "("
                + text("storage")
                + "ctorch\nFloatStorage\n"
                + text(key)
                + text("cpu")
                + longNumber(elements)
                + "tQ";
    }

    /** A tensor that is its whole storage. */
    String tensor(String key, long elements, long... shape) {
        return view(storage(key, elements), shape);
    }

    String view(String storage, long... shape) {
        StringBuilder sizes = new StringBuilder("(");
        StringBuilder strides = new StringBuilder("(");
        for (int axis = 0; axis < shape.length; axis++) {
            long step = 1;
            for (int inner = axis + 1; inner < shape.length; inner++) {
                step *= shape[inner];
            }
            sizes.append(longNumber(shape[axis]));
            strides.append(longNumber(step));
        }
        return "ctorch._utils\n_rebuild_tensor_v2\n("
                + storage
                + "K\0"
                + sizes
                + "t"
                + strides
                + "t\u0089ccollections\nOrderedDict\n)RtR";
    }

    /** An object with attributes, as names and values in turn. */
    String with(String module, String... attributes) {
        StringBuilder all = new StringBuilder(module).append("}(");
        for (int i = 0; i < attributes.length; i += 2) {
            all.append(text(attributes[i])).append(attributes[i + 1]);
        }
        return all.append("ub").toString();
    }

    /** The whole pickle of an object. */
    byte[] of(String module, String... attributes) {
        return whole(with(module, attributes));
    }

    byte[] whole(String value) {
        return (START + value + ".").getBytes(StandardCharsets.ISO_8859_1);
    }

    byte[] emptyTuple() {
        return whole(")");
    }
}
