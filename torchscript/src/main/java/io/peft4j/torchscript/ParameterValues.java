package io.peft4j.torchscript;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.torch.Tensors;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * An archive's parameters in a DJL parameter file: a version, their number, and of each its path,
 * the length and DJL's encoding.
 */
final class ParameterValues {

    private static final byte VERSION = 1;

    private ParameterValues() {}

    static void write(Map<String, Parameter> parameters, DataOutputStream os) throws IOException {
        os.writeByte(VERSION);
        os.writeInt(parameters.size());
        for (Map.Entry<String, Parameter> parameter : parameters.entrySet()) {
            byte[] values = parameter.getValue().getArray().encode();
            os.writeUTF(parameter.getKey());
            os.writeInt(values.length);
            os.write(values);
        }
    }

    /** Overwrites the parameters, or none of them if something does not fit. */
    static void read(Map<String, Parameter> parameters, NDManager manager, DataInputStream is)
            throws IOException, MalformedModelException {
        if (is.readByte() != VERSION || is.readInt() != parameters.size()) {
            throw new MalformedModelException(
                    "these are not the " + parameters.size() + " parameters of this archive");
        }
        try (NDManager scope = manager.newSubManager()) {
            Map<Parameter, NDArray> all = new LinkedHashMap<>();
            for (int i = 0; i < parameters.size(); i++) {
                String path = is.readUTF();
                int length = is.readInt();
                Parameter parameter = parameters.get(path);
                if (parameter == null || length < 0) {
                    throw new MalformedModelException(
                            "parameter " + path + " is not one of this archive");
                }
                byte[] bytes = is.readNBytes(length);
                if (bytes.length != length) {
                    throw new MalformedModelException("the values of " + path + " are cut");
                }
                NDArray values = NDArray.decode(scope, bytes);
                if (!values.getShape().equals(parameter.getArray().getShape())) {
                    throw new MalformedModelException(
                            path
                                    + " is "
                                    + parameter.getArray().getShape()
                                    + " in this archive, found "
                                    + values.getShape());
                }
                all.put(parameter, values);
            }
            all.forEach((parameter, values) -> Tensors.copy(values, parameter.getArray()));
        }
    }
}
