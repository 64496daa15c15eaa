package io.peft4j.tuning.online.rejection;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import io.peft4j.files.AtomicFiles;
import io.peft4j.text.StrictJson;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Rejection sampling: of several answers to each prompt the best are kept, as data for supervised
 * fine-tuning (as in Llama 2, arXiv:2307.09288, section 3.2.3; with all right answers kept it is
 * the RFT of Yuan et al., arXiv:2308.01825).
 *
 * <p>A row of the result is {@code {"prompt": …, "completion": …, "reward": …}}; the prompt is what
 * it was in its own row, and the completion of messages is a message. Beside {@code F.jsonl} stand
 * {@code F.stats.json}, the figures, and until it is done {@code F.jsonl.partial}, the answers so
 * far, from which an interrupted run goes on and gives the same file.
 */
public final class RejectionSampler {

    private static final Gson PRETTY =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();
    private static final Gson LINE = new GsonBuilder().disableHtmlEscaping().create();

    private final AnswerSampling sampling;
    private final RejectionConfig config;

    /**
     * Makes a sampler, which computes with the adapters in effect on the calling thread.
     *
     * @param sampler asks the model
     * @param rewards the judges, one at least
     * @param config how many answers to sample, and which to keep
     */
    public RejectionSampler(
            CompletionSampler sampler, List<Reward> rewards, RejectionConfig config) {
        sampling = new AnswerSampling(sampler, rewards, config.numGenerations(), config.seed());
        this.config = config;
    }

    /**
     * Samples, or goes on with a run, and writes the result.
     *
     * @param prompts what is asked, with the rows that they came from
     * @param output the file of the result; replaced as a whole when all prompts are answered
     * @param model what identifies the model and its adapter, text by name, for a resumed run to
     *     compare
     * @param resume whether to go on with a run; one that is finished is not sampled again
     * @param observer hears of the progress
     * @return the figures
     * @throws SamplingInterruptedException if the thread is interrupted
     * @throws ResumeMismatchException if settings, prompts or model are not those of the run
     * @throws IOException if a file cannot be read or written, or if there is one and it is not to
     *     be resumed
     */
    public RejectionReport run(
            List<Prompt> prompts,
            Path output,
            Map<String, String> model,
            boolean resume,
            SamplingObserver observer)
            throws IOException {
        Map<String, String> settings = new LinkedHashMap<>(model);
        settings.putAll(sampling.settings(prompts));
        settings.putAll(config.settings());
        Path partial = partial(output);
        if (Files.exists(output) && !Files.exists(partial)) {
            if (!resume) {
                throw new FileAlreadyExistsException(output.toString());
            }
            return finished(output, settings);
        }
        sampling.run(prompts, partial, settings, resume, observer);
        RejectionReport report = write(prompts, partial, output, settings);
        Files.delete(partial);
        return report;
    }

    /**
     * Returns where the answers of an unfinished run are.
     *
     * @param output the file of the result
     * @return the file beside it
     */
    public static Path partial(Path output) {
        return output.resolveSibling(output.getFileName() + ".partial");
    }

    /**
     * Returns where the figures are.
     *
     * @param output the file of the result
     * @return the file beside it
     */
    public static Path stats(Path output) {
        String name = output.getFileName().toString();
        String stem = name.endsWith(".jsonl") ? name.substring(0, name.length() - 6) : name;
        return output.resolveSibling(stem + ".stats.json");
    }

    private static RejectionReport finished(Path output, Map<String, String> settings)
            throws IOException {
        Path stats = stats(output);
        try {
            JsonObject json = StrictJson.read(stats, 1 << 20, 8).getAsJsonObject();
            Map<String, String> saved = new LinkedHashMap<>();
            json.getAsJsonObject("settings")
                    .asMap()
                    .forEach((name, value) -> saved.put(name, value.getAsString()));
            ResumeMismatchException.requireSame(stats, saved, settings);
            return RejectionReport.of(json);
        } catch (IllegalStateException
                | UnsupportedOperationException
                | NullPointerException
                | ClassCastException
                | NumberFormatException e) {
            throw new IOException(stats + ": expected figures of rejection sampling", e);
        }
    }

    private RejectionReport write(
            List<Prompt> prompts, Path partial, Path output, Map<String, String> settings)
            throws IOException {
        List<RejectionReport> report = new ArrayList<>();
        Map<Path, AtomicFiles.ChannelWriter> files = new LinkedHashMap<>();
        files.put(output, channel -> report.add(rows(prompts, partial, channel)));
        files.put(
                stats(output),
                channel -> {
                    Writer writer = writer(channel);
                    writer.write(PRETTY.toJson(stats(report.get(0), settings)) + "\n");
                    writer.flush();
                });
        AtomicFiles.writeTogether(files);
        return report.get(0);
    }

    private RejectionReport rows(List<Prompt> prompts, Path partial, FileChannel channel)
            throws IOException {
        RejectionSelection selection = new RejectionSelection(config, sampling.rewards());
        Writer writer = writer(channel);
        AnswerSampling.read(
                partial,
                (index, answers) -> {
                    Prompt prompt = prompts.get(index);
                    for (SampledAnswer answer : selection.keep(prompt, answers)) {
                        writer.write(LINE.toJson(row(prompt, answer)) + "\n");
                    }
                });
        writer.flush();
        return selection.report();
    }

    /** The channel is the caller's to close. */
    private static Writer writer(FileChannel channel) {
        return new BufferedWriter(
                new OutputStreamWriter(Channels.newOutputStream(channel), StandardCharsets.UTF_8));
    }

    private static JsonObject stats(RejectionReport report, Map<String, String> settings) {
        JsonObject json = report.json();
        JsonObject values = new JsonObject();
        settings.forEach(values::addProperty);
        json.add("settings", values);
        return json;
    }

    private static JsonObject row(Prompt prompt, SampledAnswer answer) {
        JsonObject row = new JsonObject();
        row.add("prompt", AnswerRows.of(prompt));
        row.add("completion", AnswerRows.of(prompt, answer));
        row.addProperty("reward", answer.reward());
        return row;
    }
}
