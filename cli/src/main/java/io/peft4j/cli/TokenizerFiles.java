package io.peft4j.cli;

import io.peft4j.files.AtomicFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Puts the tokenizer of {@code --tokenizer} beside a model that is written. */
final class TokenizerFiles {

    private static final String TOKENIZER = "tokenizer.json";
    private static final List<String> COMPANIONS =
            List.of(
                    "tokenizer_config.json",
                    "special_tokens_map.json",
                    "chat_template.jinja",
                    "chat_template.json");

    private TokenizerFiles() {}

    /**
     * Copies a tokenizer.
     *
     * @param given the value of {@code --tokenizer}: a directory, or a file with the companions
     *     beside it
     * @param output the model's directory
     */
    static void copy(Path given, Path output) throws IOException {
        boolean whole = Files.isDirectory(given);
        copyFile(whole ? given.resolve(TOKENIZER) : given, output.resolve(TOKENIZER));
        for (String name : COMPANIONS) {
            Path file = whole ? given.resolve(name) : given.resolveSibling(name);
            if (Files.isRegularFile(file)) {
                copyFile(file, output.resolve(name));
            }
        }
    }

    private static void copyFile(Path from, Path to) throws IOException {
        AtomicFiles.writeStream(to, stream -> Files.copy(from, stream));
    }
}
