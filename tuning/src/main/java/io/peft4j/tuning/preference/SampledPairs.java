package io.peft4j.tuning.preference;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.files.AtomicFiles;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.rejection.AnswerRows;
import io.peft4j.tuning.online.rejection.AnswerSampling;
import io.peft4j.tuning.online.rejection.SampledAnswer;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * Makes a pair of the best and the worst answer to each prompt, of equals the first; none where all
 * are worth the same.
 *
 * <p>A row has the answers as texts or messages, for whoever reads the file, and the very tokens
 * that were sampled ({@code prompt_ids}, {@code chosen_ids}, {@code rejected_ids}), which {@link
 * PreferenceDataset} takes: a text may be encoded otherwise than it was said, and an answer that
 * was cut must not be taught to end there.
 */
final class SampledPairs {

    private static final Gson LINE = new GsonBuilder().disableHtmlEscaping().create();

    private final List<Prompt> prompts;
    private int asked;
    private int samples;
    private int pairs;
    private double sum;
    private double bestSum;
    private double margins;

    private SampledPairs(List<Prompt> prompts) {
        this.prompts = prompts;
    }

    /**
     * Writes the pairs.
     *
     * @param prompts what was asked
     * @param answers the file of the answers
     * @param target the file of the pairs; replaced as a whole
     */
    static SampledPairs write(List<Prompt> prompts, Path answers, Path target) throws IOException {
        SampledPairs pairs = new SampledPairs(prompts);
        AtomicFiles.writeStream(
                target,
                stream -> {
                    Writer writer =
                            new BufferedWriter(
                                    new OutputStreamWriter(stream, StandardCharsets.UTF_8));
                    AnswerSampling.read(
                            answers, (prompt, some) -> pairs.accept(prompt, some, writer));
                    writer.flush();
                });
        return pairs;
    }

    private void accept(int prompt, List<SampledAnswer> answers, Writer writer) throws IOException {
        SampledAnswer best = answers.get(0);
        SampledAnswer worst = answers.get(0);
        for (SampledAnswer answer : answers) {
            best = answer.reward() > best.reward() ? answer : best;
            worst = answer.reward() < worst.reward() ? answer : worst;
            sum += answer.reward();
        }
        asked++;
        samples += answers.size();
        bestSum += best.reward();
        if (best.reward() > worst.reward()) {
            pairs++;
            margins += best.reward() - worst.reward();
            writer.write(LINE.toJson(row(prompts.get(prompt), best, worst)) + "\n");
        }
    }

    private static JsonObject row(Prompt prompt, SampledAnswer best, SampledAnswer worst) {
        JsonObject row = new JsonObject();
        row.add("prompt", AnswerRows.of(prompt));
        row.add("chosen", AnswerRows.of(prompt, best));
        row.add("rejected", AnswerRows.of(prompt, worst));
        row.addProperty("score_chosen", best.reward());
        row.addProperty("score_rejected", worst.reward());
        row.addProperty("margin", best.reward() - worst.reward());
        JsonArray asked = new JsonArray();
        for (long id : prompt.ids()) {
            asked.add(id);
        }
        row.add("prompt_ids", asked);
        row.add("chosen_ids", ids(best));
        row.add("rejected_ids", ids(worst));
        return row;
    }

    private static JsonArray ids(SampledAnswer answer) {
        JsonArray ids = new JsonArray();
        answer.ids().forEach(ids::add);
        return ids;
    }

    int count() {
        return pairs;
    }

    IterationFigures figures(int iteration, int steps) {
        return new IterationFigures(
                iteration,
                asked,
                samples,
                pairs,
                mean(sum, samples),
                mean(bestSum, asked),
                mean(margins, pairs),
                steps);
    }

    private static double mean(double sum, int count) {
        return count == 0 ? 0 : sum / count;
    }
}
