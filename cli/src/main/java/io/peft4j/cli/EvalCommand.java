package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.tuning.Evaluation;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
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
                        + " labelled next tokens divided by their count.")
final class EvalCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private AnswersOption answers;
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
            description = "Examples as JSON Lines; a row longer than the context is an error.")
    private Path data;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "8",
            description = "Rows per forward pass (default: ${DEFAULT-VALUE}).")
    private int batchSize;

    @Option(names = "--per-example", description = "Adds loss and tokens of each row.")
    private boolean perExample;

    @Override
    public Integer call() throws IOException {
        base.check();
        compute.check();
        Checks.file("--data", data);
        Checks.atLeast("--batch-size", batchSize, 1);
        if (adapter != null) {
            adapter.check("--adapter");
        }
        try (LoadedModel loaded =
                LoadedModel.open(base.source(), adapter, compute, spec.commandLine().getErr())) {
            List<Example> examples = Datasets.whole(data, loaded, answers);
            EvaluationResult result =
                    Evaluation.evaluate(LanguageModel.of(loaded.model()), examples, batchSize);
            PrintWriter out = spec.commandLine().getOut();
            out.print(json.text(() -> json(result), () -> text(result)));
        }
        return 0;
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
