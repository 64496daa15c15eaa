package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.tuning.Evaluation;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
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

/** {@code eval}: the loss of a model, with or without an adapter, on a file of examples. */
@Command(
        name = "eval",
        description =
                "Prints mean loss, perplexity and token count. The loss is the sum over all"
                        + " labelled next tokens divided by their count. With --reward: has the"
                        + " prompts answered, and prints the mean reward.")
final class EvalCommand implements Callable<Integer> {

    private static final List<String> OF_ANSWERS =
            List.of(
                    "--num-generations",
                    "--seed",
                    "--max-new-tokens",
                    "--temperature",
                    "--top-k",
                    "--top-p",
                    "--min-p",
                    "--repetition-penalty",
                    "--stop");

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private AnswersOption answers;
    @Mixin private RewardOptions rewards;
    @Mixin private SamplingOptions sampling;
    @Mixin private ComputeOptions compute;

    @Option(
            names = "--adapter",
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description = "An adapter in PEFT's format: a directory, or org/name of the hub.")
    private @Nullable Source adapter;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "F.jsonl",
            description = "Examples as JSON Lines; a row longer than the context is an error.")
    private Path data;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "8",
            description = "Rows per forward pass (default: ${DEFAULT-VALUE}).")
    private int batchSize;

    @Option(
            names = "--num-generations",
            paramLabel = "K",
            defaultValue = "1",
            description =
                    "With --reward: how many answers each prompt gets (default:"
                            + " ${DEFAULT-VALUE}).")
    private int numGenerations;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "42",
            description = "With --reward: decides what is sampled (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--json", description = "Prints one JSON object.")
    private boolean json;

    @Option(names = "--per-example", description = "Adds loss and tokens of each row.")
    private boolean perExample;

    @Override
    public Integer call() throws IOException {
        check();
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        try (LoadedModel loaded = LoadedModel.open(base.source(), adapter, compute, err)) {
            if (rewards.areGiven()) {
                List<Prompt> prompts = sampling.prompts(data, loaded, err);
                RewardEvaluation result =
                        RewardEvaluation.of(
                                new CompletionSampler(
                                        loaded.model(),
                                        loaded.requireTokenizer(),
                                        sampling.config(loaded, prompts),
                                        batchSize),
                                prompts,
                                rewards.open(
                                        loaded,
                                        rewards.hasModels() ? loaded.adapters() : null,
                                        prompts,
                                        batchSize),
                                numGenerations,
                                seed);
                out.print(
                        json ? Json.text(result.json(perExample)) + "\n" : result.text(perExample));
                return 0;
            }
            List<Example> examples = Datasets.whole(data, loaded, answers);
            EvaluationResult result =
                    Evaluation.evaluate(LanguageModel.of(loaded.model()), examples, batchSize);
            out.print(json ? Json.text(json(result)) + "\n" : text(result));
        }
        return 0;
    }

    private void check() {
        base.check();
        compute.check();
        Checks.file("--data", data);
        Checks.atLeast("--batch-size", batchSize, 1);
        Checks.atLeast("--num-generations", numGenerations, 1);
        if (adapter != null) {
            adapter.check("--adapter");
        }
        if (!rewards.areGiven()) {
            requireNone();
            return;
        }
        rewards.check();
        sampling.check();
        if (numGenerations > 1) {
            sampling.requireChance("--num-generations " + numGenerations);
        }
    }

    /** Refuses flags that say how to answer where nothing is answered. */
    private void requireNone() {
        for (String flag : OF_ANSWERS) {
            if (spec.commandLine().getParseResult().hasMatchedOption(flag)) {
                throw new UsageException(flag + " needs --reward");
            }
        }
    }

    private JsonObject json(EvaluationResult result) {
        JsonObject json = new JsonObject();
        json.addProperty("loss", result.loss());
        json.addProperty("perplexity", result.perplexity());
        json.addProperty("tokens", result.tokens());
        if (perExample) {
            JsonArray rows = new JsonArray();
            for (EvaluationResult.Row row : result.rows()) {
                JsonObject object = new JsonObject();
                object.addProperty("loss", row.loss());
                object.addProperty("tokens", row.tokens());
                rows.add(object);
            }
            json.add("examples", rows);
        }
        return json;
    }

    private String text(EvaluationResult result) {
        StringBuilder text = new StringBuilder();
        text.append(
                String.format(
                        Locale.ROOT,
                        "loss %.6f  perplexity %.4f  tokens %d%n",
                        result.loss(),
                        result.perplexity(),
                        result.tokens()));
        if (perExample) {
            int number = 0;
            for (EvaluationResult.Row row : result.rows()) {
                number++;
                text.append(
                        String.format(
                                Locale.ROOT,
                                "%6d  loss %.6f  tokens %d%n",
                                number,
                                row.loss(),
                                row.tokens()));
            }
        }
        return text.toString();
    }
}
