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
import org.jspecify.annotations.Nullable;

/**
 * A model that was written with its adapter in the weights.
 *
 * @param report what changed
 * @param dtype the element type in the file
 * @param untied whether the head got weights of its own
 */
record MergedModel(MergeReport report, Dtype dtype, boolean untied) {

    private static final String UNTIED =
            String.format(
                    "the adapter changes the embeddings alone, so the output head has a weight of"
                            + " its own now (tie_word_embeddings is false)%n");

    /**
     * Merges the adapter and writes the directory.
     *
     * @param loaded a model with an adapter, to be used no more
     * @param output the new directory
     * @param given the type to write; null for the checkpoint's
     */
    static MergedModel write(LoadedModel loaded, Path output, @Nullable FloatType given)
            throws IOException {
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
        return new MergedModel(report, written, untied);
    }

    /**
     * What to compute in: the type that is written, if it is the checkpoint's, since a sum is
     * rounded once all the same.
     */
    static Dtype kept(Dtype stored, @Nullable FloatType written) {
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

    JsonObject json(Path output) {
        JsonObject object = new JsonObject();
        object.addProperty("output", output.toString());
        object.addProperty("dtype", dtype.torchName());
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

    String text(Path output) {
        return String.format(
                        Locale.ROOT,
                        "merged %d weights, the largest change of an element is %.4g, of a weight"
                                + " %.4g of its norm; wrote %s in %s%n",
                        report.sites().size(),
                        report.largest(),
                        report.relative(),
                        output,
                        dtype.torchName())
                + (untied ? UNTIED : "");
    }
}
