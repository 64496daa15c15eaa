package io.peft4j.cli;

import picocli.CommandLine.Option;

/** The flag that every command but inspect and compare requires. */
final class BaseModelOption {

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description =
                    "The base model: a directory in Hugging Face's layout, or org/name or"
                            + " org/name@revision of the hub.")
    private Source source;

    Source source() {
        return source;
    }

    void check() {
        source.check("--model");
    }
}
