package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.tuning.Evaluation;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.choice.ChoiceDataset;
import io.peft4j.tuning.choice.ChoiceEncoder;
import io.peft4j.tuning.choice.ChoiceEvaluation;
import io.peft4j.tuning.choice.ChoiceResult;
import io.peft4j.tuning.choice.ChoiceTask;
import io.peft4j.tuning.choice.Question;
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

/**
 * {@code eval}: the loss of a model, with or without an adapter, on a file of examples, or its
 * accuracy on a file of multiple-choice questions.
 */
@Command(
        name = "eval",
        description =
                "Prints mean loss, perplexity and token count. The loss is the sum over all"
                        + " labelled next tokens divided by their count. With --task: the accuracy"
                        + " on multiple-choice questions by log-likelihood, zero-shot, as"
                        + " lm-evaluation-harness computes it. With --reward: has the prompts"
                        + " answered, and prints the mean reward.")
final class EvalCommand implements Callable<Integer> {

    private static final List<String> OF_ANSWERS =
            List.of(
                    "--num-generations",
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
    @Mixin private JsonOption json;

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
            description =
                    "Examples as JSON Lines; a row longer than the context is an error. With"
                            + " --task: questions, which lose their beginning.")
    private Path data;

    @Option(
            names = "--task",
            paramLabel = "NAME",
            description =
                    "Whose questions the rows are: boolq, piqa, social_iqa, hellaswag, winogrande,"
                            + " arc_easy, arc_challenge, openbookqa or mmlu, as Hugging Face's data"
                            + " sets have them, or commonsense, as CommonSense-170k has them.")
    private @Nullable String task;

    @Option(names = "--limit", paramLabel = "N", description = "Takes the first N questions only.")
    private @Nullable Integer limit;

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

    @Option(
            names = "--per-example",
            description = "Adds loss and tokens, or choices and their scores, of each row.")
    private boolean perExample;

    @Override
    public Integer call() throws IOException {
        ChoiceTask choices = check();
        PrintWriter err = spec.commandLine().getErr();
        try (LoadedModel loaded = LoadedModel.open(base.source(), adapter, compute, err)) {
            String result;
            if (rewards.areGiven()) {
                result = reward(loaded, err);
            } else {
                result = choices == null ? loss(loaded) : accuracy(choices, loaded);
            }
            spec.commandLine().getOut().print(result);
        }
        return 0;
    }

    private @Nullable ChoiceTask check() {
        base.check();
        compute.check();
        Checks.file("--data", data);
        Checks.atLeast("--batch-size", batchSize, 1);
        Checks.optionalAtLeast("--limit", limit, 1);
        Checks.atLeast("--num-generations", numGenerations, 1);
        ChoiceTask choices = checkTask();
        if (adapter != null) {
            adapter.check("--adapter");
        }
        if (!rewards.areGiven()) {
            requireNoFlagsOfAnswers();
            return choices;
        }
        if (choices != null) {
            throw new UsageException("--task and --reward cannot be given together");
        }
        rewards.check();
        sampling.check();
        if (numGenerations > 1) {
            sampling.requireChance("--num-generations " + numGenerations);
        }
        return null;
    }

    /** Refuses flags that say how to answer where nothing is answered. */
    private void requireNoFlagsOfAnswers() {
        for (String flag : OF_ANSWERS) {
            if (spec.commandLine().getParseResult().hasMatchedOption(flag)) {
                throw new UsageException(flag + " needs --reward");
            }
        }
    }

    private @Nullable ChoiceTask checkTask() {
        if (task == null) {
            if (limit != null) {
                throw new UsageException("--limit needs --task");
            }
            return null;
        }
        if (answers.assistantOnly()) {
            throw new UsageException(
                    "--assistant-only-loss cannot be given with --task: the choices are scored");
        }
        try {
            return ChoiceTask.of(task);
        } catch (IllegalArgumentException e) {
            throw new UsageException("--task: " + e.getMessage(), e);
        }
    }

    private String loss(LoadedModel loaded) throws IOException {
        List<Example> examples = Datasets.whole(data, loaded, answers);
        EvaluationResult result =
                Evaluation.evaluate(LanguageModel.of(loaded.model()), examples, batchSize);
        return json.text(() -> json(result), () -> text(result));
    }

    private String reward(LoadedModel loaded, PrintWriter err) throws IOException {
        List<Prompt> prompts = sampling.prompts(data, loaded, err);
        CompletionSampler sampler =
                new CompletionSampler(
                        loaded.model(),
                        loaded.requireTokenizer(),
                        sampling.config(loaded, prompts),
                        batchSize);
        RewardEvaluation result =
                RewardEvaluation.of(
                        sampler,
                        prompts,
                        rewards.open(
                                loaded,
                                rewards.hasModels() ? loaded.adapters() : null,
                                prompts,
                                batchSize),
                        numGenerations,
                        seed);
        return json.text(() -> result.json(perExample), () -> result.text(perExample));
    }

    private String accuracy(ChoiceTask choices, LoadedModel loaded) throws IOException {
        List<Question> questions = ChoiceDataset.read(data, choices);
        if (limit != null && limit < questions.size()) {
            questions = questions.subList(0, limit);
        }
        ChoiceEncoder encoder =
                new ChoiceEncoder(
                        loaded.requireTokenizer(), loaded.model().config().contextLength());
        ChoiceResult result =
                ChoiceEvaluation.evaluate(
                        LanguageModel.of(loaded.model()), encoder, questions, batchSize);
        if (encoder.truncated() > 0) {
            PrintWriter err = spec.commandLine().getErr();
            err.println(
                    "peft4j: "
                            + data
                            + ": "
                            + encoder.truncated()
                            + " choices with their question exceed the context of "
                            + loaded.model().config().contextLength()
                            + " tokens and lost their beginning");
        }
        ChoiceReport report = new ChoiceReport(choices, result);
        return json.text(() -> report.json(perExample), () -> report.text(perExample));
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
