package io.peft4j.adapters;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.Pair;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.io.DataInputStream;
import java.io.IOException;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * Loads a file of {@code Model.save} into a model with adapters: the base's values and those of the
 * adapters in the file, all or none.
 *
 * <p>A DJL block that loads puts new arrays in the place of its old ones. They are taken as values
 * only and copied into the old arrays, which return to their places: so the base stays frozen,
 * trainers and predictors that know the old arrays see the new values, and a file that does not fit
 * does no harm.
 */
final class ModelFile {

    private final Block base;
    private final IdentityHashMap<Parameter, NDArray> before = new IdentityHashMap<>();

    private ModelFile(Block base) {
        this.base = base;
        base.getParameters().values().forEach(p -> before.put(p, p.getArray()));
    }

    /**
     * Loads a file.
     *
     * @param base the base, which reads its part itself
     * @param adapters all adapters of the model
     * @param manager where a block keeps what it loads beside parameters
     * @param in the file behind its header
     * @throws MalformedModelException if the file is of another base or of other adapters; no value
     *     has changed
     * @throws IOException if it cannot be read; no value has changed
     */
    static void load(Block base, List<Adapter> adapters, NDManager manager, DataInputStream in)
            throws IOException, MalformedModelException {
        ModelFile file = new ModelFile(base);
        try (GradMode off = GradMode.disabled();
                NDManager scope = manager.newSubManager()) {
            try {
                base.loadParameters(manager, in);
                file.requireSameShapes();
                AdapterSection section = AdapterSection.read(scope, in);
                section.requireFits(adapters);
                file.copyValues();
                section.copyInto(adapters);
            } finally {
                file.putArraysBack();
            }
            for (Adapter adapter : adapters) {
                adapter.attachments().forEach(attachment -> tell(attachment, scope));
            }
        }
    }

    private void requireSameShapes() throws MalformedModelException {
        for (Pair<String, Parameter> entry : base.getParameters()) {
            NDArray old = before.get(entry.getValue());
            NDArray read = entry.getValue().getArray();
            if (old != null
                    && !(read.getShape().equals(old.getShape())
                            && read.getDataType() == old.getDataType())) {
                throw new MalformedModelException(
                        "parameter "
                                + entry.getKey()
                                + " of the base is "
                                + describe(old)
                                + ", but the file has "
                                + describe(read));
            }
        }
    }

    private static String describe(NDArray array) {
        return array.getShape() + " " + array.getDataType();
    }

    private void copyValues() {
        before.forEach(
                (parameter, old) -> {
                    if (parameter.getArray() != old) {
                        Tensors.copy(parameter.getArray(), old);
                    }
                });
    }

    /** A parameter takes an array only when it is initialised, of whatever type is asked for. */
    private void putArraysBack() {
        before.forEach(
                (parameter, old) -> {
                    if (parameter.isInitialized() && parameter.getArray() == old) {
                        return;
                    }
                    Initializer initializer = parameter.getInitializer();
                    parameter.close();
                    parameter.setShape(old.getShape());
                    parameter.setInitializer((manager, shape, type) -> old);
                    parameter.initialize(old.getManager(), DataType.FLOAT32);
                    parameter.setInitializer(initializer);
                });
    }

    private static void tell(Attachment attachment, NDManager owner) {
        try (NDManager scope = owner.newSubManager()) {
            attachment.state().weightChanged(attachment.weight().float32Matrix(scope));
        }
    }
}
