package io.peft4j.torchscript;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.adapters.DescribedBlock;
import io.peft4j.adapters.Site;
import io.peft4j.torch.BFloat16;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A module of an archive in DJL's block tree, which gives its weights their paths. It does not
 * compute; the archive's root does, in libtorch.
 */
class ModuleBlock extends AbstractBlock implements DescribedBlock {

    private static final byte VERSION = 1;

    private final Map<String, TorchScriptWeight> weights = new LinkedHashMap<>();

    ModuleBlock() {
        super(VERSION);
    }

    Parameter add(TorchScriptWeight weight, NDArray values) {
        weights.put(weight.name(), weight);
        Parameter parameter =
                Parameter.builder()
                        .setName(weight.name())
                        .setType(type(weight.name()))
                        .optShape(values.getShape())
                        .optArray(values)
                        .build();
        parameter.freeze(true);
        return addParameter(parameter);
    }

    private static Parameter.Type type(String name) {
        return switch (name) {
            case "weight" -> Parameter.Type.WEIGHT;
            case "bias" -> Parameter.Type.BIAS;
            default -> Parameter.Type.OTHER;
        };
    }

    void add(String name, Block child) {
        addChildBlock(name, child);
    }

    @Override
    public @Nullable Site site(String path, String parameter) {
        TorchScriptWeight weight = weights.get(parameter);
        if (weight == null || !weight.isAdaptable() || weight.kind() == null) {
            return null;
        }
        boolean module = parameter.equals("weight") && !path.isEmpty();
        String own = module ? path : path.isEmpty() ? parameter : path + "." + parameter;
        List<String> ties = weight.tiedTo().stream().map(ModuleBlock::moduleOf).toList();
        return new Site(own, weight.kind(), weight.shape(), weight.transposed(), false, ties);
    }

    private static String moduleOf(String weight) {
        return weight.endsWith(".weight")
                ? weight.substring(0, weight.length() - ".weight".length())
                : weight;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        throw new UnsupportedOperationException(
                "a module of a TorchScript archive cannot be called by itself; call the archive's"
                        + " block");
    }

    @Override
    public void initialize(NDManager manager, DataType dataType, Shape... inputShapes) {
        BFloat16.requireUsable("a TorchScript block's initialize", dataType);
        // its parameters have their values from the archive
        beforeInitialize(inputShapes);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        throw new UnsupportedOperationException(
                "a module of a TorchScript archive does not tell its shapes");
    }
}
