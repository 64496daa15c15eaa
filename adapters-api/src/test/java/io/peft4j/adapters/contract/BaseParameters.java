package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import io.peft4j.adapters.BlockTree;
import io.peft4j.adapters.Site;
import io.peft4j.torch.BFloat16;
import java.nio.IntBuffer;
import java.util.Map;

/** Base parameters found by their sites, without the library's own way of finding them. */
final class BaseParameters {

    private BaseParameters() {}

    static Parameter at(Block base, Site site) {
        for (Map.Entry<String, Block> module : BlockTree.paths(base).entrySet()) {
            for (Pair<String, Parameter> entry : module.getValue().getDirectParameters()) {
                boolean own = entry.getValue().getType() == Parameter.Type.WEIGHT;
                String path =
                        site.kind() == Site.Kind.MATRIX
                                ? module.getKey() + "." + entry.getKey()
                                : module.getKey();
                if (own && path.equals(site.path())) {
                    return entry.getValue();
                }
            }
        }
        throw new AssertionError("no parameter at " + site);
    }

    static NDArray matrix(NDManager owner, NDArray weight, Site site) {
        NDArray wide = weight;
        if (BFloat16.isBFloat16(weight)) {
            wide = BFloat16.toFloat32(owner, weight);
        }
        NDArray view =
                site.transposed()
                        ? wide.transpose()
                        : wide.reshape(site.outFeatures(), site.inFeatures());
        view.attach(owner);
        return view;
    }

    static IntBuffer bits(NDArray array) {
        if (BFloat16.isBFloat16(array)) {
            short[] narrow = BFloat16.bits(array);
            int[] wide = new int[narrow.length];
            for (int i = 0; i < narrow.length; i++) {
                wide[i] = narrow[i];
            }
            return IntBuffer.wrap(wide);
        }
        float[] values = array.toFloatArray();
        int[] bits = new int[values.length];
        for (int i = 0; i < values.length; i++) {
            bits[i] = Float.floatToRawIntBits(values[i]);
        }
        return IntBuffer.wrap(bits);
    }
}
