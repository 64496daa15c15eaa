package io.peft4j.tensorboard;

/**
 * The parts of TensorFlow's {@code Event} message that are written here, by their field numbers in
 * {@code event.proto}, {@code summary.proto} and {@code tensor.proto}.
 */
final class Events {

    static final int WALL_TIME = 1;
    static final int STEP = 2;
    static final int FILE_VERSION = 3;
    static final int SUMMARY = 5;
    static final int SESSION_LOG = 7;

    private static final int FLOAT = 1;
    private static final int STRING = 7;

    private Events() {}

    /** Readers drop what they have of the event's step and later ones. */
    static Message sessionStart() {
        return new Message().whole(1, 1);
    }

    static Message scalar(String tag, float value) {
        return summary(new Message().text(1, tag).real(2, value));
    }

    static Message text(String tag, String text) {
        Message tensor =
                new Message()
                        .whole(1, STRING)
                        .message(2, new Message().message(2, new Message().whole(1, 1)))
                        .text(8, text);
        return summary(
                new Message()
                        .text(1, tag + "/text_summary")
                        .message(8, tensor)
                        .message(9, metadata("text", new byte[0])));
    }

    /** What a plugin reads is in the metadata, and the value is a zero. */
    static Message plugin(String tag, String plugin, Message content) {
        Message zero =
                new Message()
                        .whole(1, FLOAT)
                        .message(2, new Message().message(2, new Message().whole(1, 1)))
                        .bytes(5, new byte[Float.BYTES]);
        return summary(
                new Message()
                        .text(1, tag)
                        .message(8, zero)
                        .message(9, metadata(plugin, content.toByteArray())));
    }

    private static Message metadata(String plugin, byte[] content) {
        Message data = new Message().text(1, plugin);
        if (content.length > 0) {
            data.bytes(2, content);
        }
        return new Message().message(1, data);
    }

    private static Message summary(Message value) {
        return new Message().message(1, value);
    }
}
