package io.peft4j.cli;

import com.google.gson.JsonObject;
import io.peft4j.serving.Server;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code inspect}: what a directory holds. Reads no weights but an adapter's, to see whether they
 * are those that its provenance is about, and those of {@code --model}.
 */
@Command(
        name = "inspect",
        description = "Tells what a model or adapter directory holds, without loading the weights.")
final class InspectCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;
    @Mixin private JsonOption json;

    @Parameters(
            arity = "0..1",
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description =
                    "A model or an adapter in PEFT's format: a directory, or org/name or"
                            + " org/name@revision of the hub.")
    private @Nullable Source source;

    @Option(
            names = "--model",
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description =
                    "Tells whether an adapter was made for this base model, which is loaded for"
                            + " it; alone, tells about the model.")
    private @Nullable Source model;

    @Option(
            names = "--tokenizer",
            paramLabel = "DIR|FILE",
            description = "The tokenizer to tell about, for a model that ships none.")
    private @Nullable Path tokenizer;

    @Option(
            names = "--for",
            paramLabel = "SERVER",
            converter = ServerConverter.class,
            description =
                    "Tells what vllm, tgi, llama.cpp or djl-serving would refuse of an adapter as it"
                            + " is, or get wrong without a word; --model tells more.")
    private @Nullable Server server;

    @Override
    public Integer call() throws IOException {
        if (source == null && model == null) {
            throw new UsageException("inspect needs a model's or an adapter's directory");
        }
        if (source != null) {
            source.check("DIR");
        }
        if (tokenizer != null) {
            Checks.exists("--tokenizer", tokenizer);
        }
        if (model != null) {
            model.check("--model");
        }
        PrintWriter err = spec.commandLine().getErr();
        Path base = model == null ? null : model.fetchModel(err);
        Path directory = source == null ? Objects.requireNonNull(base) : source.fetch(err);
        JsonObject facts;
        if (Files.exists(directory.resolve("adapter_config.json"))) {
            facts = AdapterFacts.of(directory, base);
            if (server != null) {
                ServerFacts.add(facts, server, directory, base);
            }
        } else if (Files.exists(directory.resolve("config.json"))) {
            if (model != null && source != null) {
                throw new UsageException(
                        "--model is compared with what an adapter was made for, but "
                                + directory
                                + " is a model");
            }
            if (server != null) {
                throw new UsageException(
                        "--for is about adapters, but " + directory + " is a model");
            }
            facts = ModelFacts.of(directory, tokenizer);
        } else {
            throw new UsageException(
                    directory
                            + " is neither a model nor an adapter: expected config.json or"
                            + " adapter_config.json in it");
        }
        spec.commandLine().getOut().print(json.text(() -> facts, () -> FactSheet.text(facts)));
        return 0;
    }
}
