package io.peft4j.adapters;

import ai.djl.nn.Parameter;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tensors that PEFT saves beside an adapter's own, and that reading accepts:
 *
 * <ul>
 *   <li>{@code base_layer.weight} of an adapted embedding or head: the base weight it was trained
 *       on, which should be this base's;
 *   <li>a second copy under the name of a module that the adapter is tied to, which must agree;
 *   <li>{@code num_batches_tracked} of a normalisation, which DJL does not count.
 * </ul>
 */
final class CompanionTensors {

    private static final Logger LOGGER = LoggerFactory.getLogger(CompanionTensors.class);

    /** The step between neighbouring bfloat16 numbers: what saving in another type may change. */
    private static final double ROUNDING = 1.0 / 128;

    private final Map<String, BaseWeight> baseWeights = new LinkedHashMap<>();
    private final Map<String, Attachment.TiedCopy> tiedCopies = new LinkedHashMap<>();
    private final Set<String> own;

    CompanionTensors(List<Attachment> attachments, Map<String, Parameter> parameters) {
        own = parameters.keySet();
        for (Attachment attachment : attachments) {
            tiedCopies.putAll(attachment.tiedCopies());
            Site site = attachment.weight().site();
            baseWeights.put(baseKey(site.path()), attachment.weight());
            site.tiedTo().forEach(path -> baseWeights.put(baseKey(path), attachment.weight()));
        }
    }

    private static String baseKey(String module) {
        return AdapterFiles.prefix(module) + "base_layer.weight";
    }

    boolean contains(String key) {
        String counter = "num_batches_tracked";
        return baseWeights.containsKey(key)
                || tiedCopies.containsKey(key)
                || (key.endsWith("." + counter)
                        && own.contains(key.replace(counter, "running_mean")));
    }

    /** Reports second copies that differ from the first. */
    void compareCopies(SavedAdapter saved, LoadReport.Builder report) throws IOException {
        for (Map.Entry<String, Attachment.TiedCopy> entry : tiedCopies.entrySet()) {
            Attachment.TiedCopy copy = entry.getValue();
            if (saved.contains(entry.getKey())
                    && saved.contains(copy.ownKey())
                    && !Arrays.equals(
                            saved.values(entry.getKey()), copy.of(saved.values(copy.ownKey())))) {
                report.mismatched(
                        entry.getKey()
                                + " expected "
                                + (copy.transposed() ? "the transpose of " : "the values of ")
                                + copy.ownKey()
                                + ", which it is tied to, but was another tensor");
            }
        }
    }

    /** Logs a warning for each saved base weight that is not the model's. */
    void compareBase(SavedAdapter saved) throws IOException {
        for (Map.Entry<String, BaseWeight> entry : baseWeights.entrySet()) {
            if (saved.contains(entry.getKey())) {
                float[] trainedOn = saved.values(entry.getKey());
                float[] here = Tensors.toFloats(entry.getValue().array());
                if (!same(trainedOn, here)) {
                    LOGGER.warn(
                            "{}: {} is not the weight of this base model; the adapter was trained"
                                    + " on another base",
                            saved.source(),
                            entry.getKey());
                }
            }
        }
    }

    private static boolean same(float[] saved, float[] here) {
        if (saved.length != here.length) {
            return false;
        }
        for (int i = 0; i < saved.length; i++) {
            // a NaN is never the same
            if (!(Math.abs(saved[i] - here[i]) <= ROUNDING * Math.abs(saved[i]) + 1e-7)) {
                return false;
            }
        }
        return true;
    }
}
