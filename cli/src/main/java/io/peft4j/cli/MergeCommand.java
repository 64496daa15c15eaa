package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.MergeReport;
import io.peft4j.adapters.Provenance;
import io.peft4j.adapters.TiedWeightException;
import io.peft4j.files.Sha256;
import io.peft4j.safetensors.Dtype;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code merge}: writes a model whose weights hold the adapter. */
@Command(
        name = "merge",
        description =
                "Writes a complete Hugging Face directory with the adapter in the weights. Sums are"
                        + " taken in float32 and rounded once.")
final class MergeCommand implements Callable<Integer> {

    private static final String UNTIED =
            String.format(
                    "the adapter changes the embeddings alone, so the output head has a weight of"
                            + " its own now (tie_word_embeddings is false)%n");

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private PlaceOptions place;

    @Option(
            names = "--adapter",
            required = true,
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description = "An adapter in PEFT's format: a directory, or org/name of the hub.")
    private Source adapter;

    @Option(
            names = "--output",
            required = true,
            paramLabel = "DIR",
            description = "The new model's directory; it must be new or empty.")
    private Path output;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            description = "float32, bfloat16 or float16 to write (default: the base model's).")
    private @Nullable String dtype;

    @Option(names = "--json", description = "Prints one JSON object.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        base.check();
        place.check();
        adapter.check("--adapter");
        OutputDirectory.requireEmpty(output);
        FloatType given = dtype == null ? null : FloatType.parse(dtype);
        try (LoadedModel loaded =
                LoadedModel.open(
                        base.source(),
                        adapter,
                        place,
                        stored -> kept(stored, given),
                        spec.commandLine().getErr())) {
            Dtype written = given != null ? given.stored() : loaded.model().dtype();
            // of the base as it was loaded: a head that gets its own weights is another base
            Provenance provenance = provenance(loaded, written);
            boolean untied = false;
            MergeReport report;
            try {
                report = loaded.requireAdapter().merge();
            } catch (TiedWeightException e) {
                untied = loaded.model().untieHead();
                report = loaded.requireAdapter().merge();
            }
            loaded.save(output, written);
            provenance.write(output);
            String text =
                    json
                            ? Json.text(json(report, written, untied)) + "\n"
                            : text(report, written) + (untied ? UNTIED : "");
            spec.commandLine().getOut().print(text);
        }
        return 0;
    }

    /**
     * In the type that is written, if it is the checkpoint's: a sum is rounded once all the same.
     */
    private static Dtype kept(Dtype stored, @Nullable FloatType written) {
        boolean narrow = stored == Dtype.BF16 || stored == Dtype.F16;
        return narrow && (written == null || written.stored() == stored) ? stored : Dtype.F32;
    }

    /** The adapter's, and which adapter went into which base. */
    private static Provenance provenance(LoadedModel loaded, Dtype written) throws IOException {
        AdaptedModel adapted = loaded.requireAdapter();
        Map<String, String> entries = new HashMap<>(adapted.adapter().provenance().entries());
        entries.put(
                "merge.adapter_sha256",
                Sha256.of(loaded.requireAdapterDirectory().resolve("adapter_model.safetensors")));
        entries.put("merge.base_fingerprint", adapted.baseFingerprint());
        entries.put("merge.dtype", written.torchName());
        return new Provenance(entries);
    }

    private JsonObject json(MergeReport report, Dtype written, boolean untied) {
        JsonObject object = new JsonObject();
        object.addProperty("output", output.toString());
        object.addProperty("dtype", written.torchName());
        object.addProperty("largest_change", report.largest());
        object.addProperty("relative_change", report.relative());
        object.addProperty("untied_head", untied);
        JsonArray sites = new JsonArray();
        for (MergeReport.SiteChange change : report.sites()) {
            JsonObject site = new JsonObject();
            site.addProperty("path", change.path());
            site.addProperty("largest_change", change.largest());
            site.addProperty("relative_change", change.relative());
            sites.add(site);
        }
        object.add("sites", sites);
        return object;
    }

    private String text(MergeReport report, Dtype written) {
        return String.format(
                Locale.ROOT,
                "merged %d weights, the largest change of an element is %.4g, of a weight %.4g of"
                        + " its norm; wrote %s in %s%n",
                report.sites().size(),
                report.largest(),
                report.relative(),
                output,
                written.torchName());
    }
}
