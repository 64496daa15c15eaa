package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.models.GeneratedText;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.TextGenerator;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code generate}: continues a prompt, or answers it. */
@Command(
        name = "generate",
        description =
                "Continues a prompt and prints the continuation as it comes. Greedy unless"
                        + " --temperature is given; stops at the end-of-sequence token.")
final class GenerateCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private SamplingOptions sampling;
    @Mixin private ComputeOptions compute;

    @Option(
            names = "--adapter",
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description = "An adapter in PEFT's format: a directory, or org/name of the hub.")
    private @Nullable Source adapter;

    @Option(names = "--prompt", paramLabel = "TEXT", description = "The text to continue.")
    private @Nullable String prompt;

    @Option(
            names = "--prompts",
            paramLabel = "F.jsonl",
            description =
                    "Many prompts as JSON Lines, {\"prompt\": …} or {\"messages\": […]}; messages"
                            + " are answered through the chat template.")
    private @Nullable Path prompts;

    @Option(
            names = "--chat",
            description = "Takes each prompt for a user's message, and answers it.")
    private boolean chat;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "42",
            description =
                    "Decides what is sampled; prompt i has seed N + i (default:"
                            + " ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "8",
            description = "Prompts that are continued together (default: ${DEFAULT-VALUE}).")
    private int batchSize;

    @Option(
            names = "--json",
            description = "Prints one JSON object for each prompt when it is done.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        check();
        List<Prompt> all =
                prompts != null
                        ? Prompt.read(prompts, chat)
                        : List.of(Prompt.of(prompt == null ? "" : prompt, chat));
        try (LoadedModel loaded =
                LoadedModel.open(base.source(), adapter, compute, spec.commandLine().getErr())) {
            TextGenerator generator = new TextGenerator(loaded.model(), loaded.requireTokenizer());
            for (int first = 0; first < all.size(); first += batchSize) {
                List<Prompt> batch = all.subList(first, Math.min(all.size(), first + batchSize));
                generate(generator, batch, first, loaded.model().config().contextLength());
            }
        }
        return 0;
    }

    private void generate(TextGenerator generator, List<Prompt> batch, int first, int context) {
        List<long[]> ids = batch.stream().map(row -> row.encode(generator)).toList();
        int longest = ids.stream().mapToInt(row -> row.length).max().orElseThrow();
        GenerationConfig config =
                sampling.config(context - longest, seed + first, generator.eosIds());
        PrintWriter out = spec.commandLine().getOut();
        boolean streams = prompts == null && !json;
        List<GeneratedText> texts =
                generator.generate(
                        ids,
                        config,
                        (row, text) -> {
                            if (streams) {
                                out.print(text);
                                out.flush(); // as it comes
                            }
                        });
        for (int i = 0; i < texts.size(); i++) {
            if (json) {
                JsonObject object = json(batch.get(i), texts.get(i));
                out.println(prompts == null ? Json.text(object) : Json.line(object));
            } else if (streams) {
                out.println();
            } else {
                out.printf(Locale.ROOT, "[%d]%n%s%n", first + i + 1, texts.get(i).text());
            }
            out.flush();
        }
    }

    private void check() {
        base.check();
        compute.check();
        sampling.check();
        Checks.atLeast("--batch-size", batchSize, 1);
        if (adapter != null) {
            adapter.check("--adapter");
        }
        if ((prompt == null) == (prompts == null)) {
            throw new UsageException(
                    "give --prompt or --prompts" + (prompt == null ? "" : ", not both"));
        }
        if (prompts != null) {
            Checks.file("--prompts", prompts);
        }
    }

    private static JsonObject json(Prompt prompt, GeneratedText answer) {
        JsonObject object = prompt.json().deepCopy();
        object.addProperty("text", answer.text());
        object.addProperty("prompt_tokens", answer.promptTokens());
        JsonArray ids = new JsonArray();
        answer.ids().forEach(ids::add);
        object.add("ids", ids);
        object.addProperty("end", answer.end().name().toLowerCase(Locale.ROOT));
        return object;
    }
}
