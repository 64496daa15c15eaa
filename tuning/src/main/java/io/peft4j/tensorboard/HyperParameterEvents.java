package io.peft4j.tensorboard;

import java.util.Map;

/**
 * What TensorBoard's tab of hyper-parameters reads, by the field numbers of its {@code api.proto}.
 */
final class HyperParameterEvents {

    private static final int START = 3;
    private static final int END = 4;
    private static final int SUCCESS = 1;

    private HyperParameterEvents() {}

    static Message start(Map<String, String> values) {
        return plugin(
                "_hparams_/session_start_info",
                START,
                values(values).real(5, System.currentTimeMillis() / 1e3));
    }

    /** The beginning of the message, without its time. */
    static Message values(Map<String, String> values) {
        Message start = new Message();
        values.forEach(
                (name, value) ->
                        start.message(1, new Message().text(1, name).message(2, value(value))));
        return start;
    }

    static Message success() {
        Message end = new Message().whole(1, SUCCESS).real(2, System.currentTimeMillis() / 1e3);
        return plugin("_hparams_/session_end_info", END, end);
    }

    private static Message plugin(String tag, int field, Message content) {
        return Events.plugin(tag, "hparams", new Message().message(field, content));
    }

    /** A {@code google.protobuf.Value}. */
    private static Message value(String text) {
        if (text.equals("true") || text.equals("false")) {
            return new Message().whole(4, text.equals("true") ? 1 : 0);
        }
        try {
            double number = Double.parseDouble(text);
            if (Double.isFinite(number) && !Character.isLetter(text.charAt(text.length() - 1))) {
                return new Message().real(2, number);
            }
        } catch (NumberFormatException e) {
            // a text
        }
        return new Message().text(3, text);
    }
}
