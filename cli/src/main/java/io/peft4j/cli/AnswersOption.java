package io.peft4j.cli;

import picocli.CommandLine.Option;

/** The flag that takes the loss on what the assistant says only. */
final class AnswersOption {

    @Option(
            names = "--assistant-only-loss",
            description =
                    "Takes the loss on the assistant's turns only; all rows must be conversations.")
    private boolean assistantOnly;

    boolean assistantOnly() {
        return assistantOnly;
    }
}
