package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.Generator;
import io.peft4j.models.TextStream;
import io.peft4j.models.Tokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code generate}: continues a prompt. */
@Command(
        name = "generate",
        description =
                "Continues a prompt and prints the continuation as it comes. Greedy unless"
                        + " --temperature is given; stops at the end-of-sequence token.")
final class GenerateCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private ComputeOptions compute;

    @Option(
            names = "--adapter",
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description = "An adapter in PEFT's format: a directory, or org/name of the hub.")
    private @Nullable Source adapter;

    @Option(
            names = "--prompt",
            required = true,
            paramLabel = "TEXT",
            description = "The text to continue.")
    private String prompt;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            description = "The longest continuation (default: 128, or what the context leaves).")
    private @Nullable Integer maxNewTokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "Samples with this temperature; 0 is greedy (default: ${DEFAULT-VALUE}).")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description =
                    "Samples from the K likeliest tokens; 0 means all (default: ${DEFAULT-VALUE}).")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description =
                    "Samples from the likeliest tokens that together have probability P"
                            + " (default: ${DEFAULT-VALUE}).")
    private double topP;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "42",
            description = "Decides what is sampled (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--json", description = "Prints one JSON object at the end.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        check();
        try (LoadedModel loaded =
                LoadedModel.open(
                        base.source(), adapter, compute.place(), spec.commandLine().getErr())) {
            Tokenizer tokenizer = loaded.requireTokenizer();
            long[] ids = tokenizer.encode(prompt, true);
            PrintWriter out = spec.commandLine().getOut();
            TextStream stream =
                    new TextStream(
                            tokenizer, List.of(), json ? part -> {} : part -> show(out, part));
            long[] answer =
                    new Generator()
                            .generate(
                                    loaded.model(),
                                    ids,
                                    config(loaded, ids.length),
                                    stream::accept);
            String text = stream.finish();
            if (json) {
                out.println(Json.text(json(ids.length, answer, text)));
            } else {
                out.println();
            }
        }
        return 0;
    }

    private static void show(PrintWriter out, String text) {
        out.print(text);
        out.flush();
    }

    private void check() {
        base.check();
        compute.check();
        if (adapter != null) {
            adapter.check("--adapter");
        }
        if (maxNewTokens != null) {
            Checks.atLeast("--max-new-tokens", maxNewTokens, 1);
        }
        Checks.notNegative("--temperature", temperature);
        Checks.atLeast("--top-k", topK, 0);
        if (!(topP > 0 && topP <= 1)) {
            throw new UsageException("--top-p must be above 0 and at most 1, but is " + topP);
        }
    }

    private GenerationConfig config(LoadedModel loaded, int promptTokens) {
        int left = loaded.model().config().contextLength() - promptTokens;
        int longest = maxNewTokens != null ? maxNewTokens : Math.max(1, Math.min(128, left));
        return GenerationConfig.builder()
                .optMaxNewTokens(longest)
                .optTemperature(temperature)
                .optTopK(topK)
                .optTopP(topP)
                .optSeed(seed)
                .optEosIds(loaded.eosIds())
                .build();
    }

    private JsonObject json(int promptTokens, long[] answer, String text) {
        JsonObject object = new JsonObject();
        object.addProperty("prompt", prompt);
        object.addProperty("text", text);
        object.addProperty("prompt_tokens", promptTokens);
        JsonArray ids = new JsonArray();
        for (long id : answer) {
            ids.add(id);
        }
        object.add("ids", ids);
        return object;
    }
}
