package io.peft4j.torchscript;

import ai.djl.Model;
import ai.djl.nn.Block;
import ai.djl.nn.BlockFactory;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Lets {@code Criteria} load a TorchScript archive as a block that adapters can attach to:
 *
 * <pre>{@code
 * Criteria.builder()
 *         .setTypes(NDList.class, NDList.class)
 *         .optModelUrls("https://models.example.com/bert.zip")
 *         .optEngine("PyTorch")
 *         .optArgument("blockFactory", TorchScriptBlockFactory.class.getName())
 *         .optOption("hasParameter", "false")
 *         .build();
 * }</pre>
 *
 * <p>The option says that there is no {@code .params} file. The argument {@code torchScriptRoot}
 * names the module that a traced wrapper holds, see {@link TorchScriptBlock#load(Path, String,
 * ai.djl.ndarray.NDManager)}; {@code torchScriptCopies} says how many threads shall predict with
 * adapters at once, see {@link TorchScriptBlock#setCopies}. All may stand in the archive's {@code
 * serving.properties}.
 */
public final class TorchScriptBlockFactory implements BlockFactory {

    private static final long serialVersionUID = 1L;

    /** Creates a factory; DJL does. */
    public TorchScriptBlockFactory() {}

    /** {@inheritDoc} */
    @Override
    public Block newBlock(Model model, Path modelPath, Map<String, ?> arguments)
            throws IOException {
        Object root = arguments.get("torchScriptRoot");
        Object copies = arguments.get("torchScriptCopies");
        TorchScriptBlock block =
                TorchScriptBlock.load(
                        archiveIn(modelPath, model.getName()),
                        root == null ? "" : root.toString(),
                        model.getNDManager());
        if (copies != null) {
            block.setCopies(number(copies));
        }
        return block;
    }

    private static int number(Object copies) {
        try {
            return Integer.parseInt(copies.toString());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "torchScriptCopies must be a number, but is \"" + copies + '"', e);
        }
    }

    /** The archive of a model, where DJL looks for it, or the only one there. */
    static Path archiveIn(Path place, String name) throws IOException {
        if (Files.isRegularFile(place)) {
            return place;
        }
        for (String candidate : List.of(name, name + ".pt", place.getFileName() + ".pt")) {
            Path file = place.resolve(candidate);
            if (Files.isRegularFile(file)) {
                return file;
            }
        }
        try (Stream<Path> files = Files.list(place)) {
            List<Path> archives =
                    files.filter(file -> file.getFileName().toString().endsWith(".pt")).toList();
            if (archives.size() == 1) {
                return archives.get(0);
            }
            throw new FileNotFoundException(
                    "expected "
                            + name
                            + ".pt or one other .pt file in "
                            + place
                            + ", found "
                            + archives);
        }
    }
}
