package io.peft4j.safetensors;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;

/** Recognises Python pickles by extension and by content, and says how to convert them. */
final class PickleRefusal {

    private static final Set<String> EXTENSIONS =
            Set.of("bin", "pt", "pth", "ckpt", "pkl", "pickle");

    private PickleRefusal() {}

    static boolean hasPickleName(Path file) {
        String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
        return EXTENSIONS.contains(name.substring(name.lastIndexOf('.') + 1));
    }

    /**
     * Tells whether a file begins like torch.save's zip archives or like a bare pickle.
     *
     * <p>Both beginnings are possible header lengths too (0x0280 = 640 starts like pickle protocol
     * 2), so the ninth byte decides: a safetensors header begins there, with a brace.
     */
    static boolean hasPickleContent(byte[] start) {
        boolean zip =
                start.length >= 4
                        && start[0] == 'P'
                        && start[1] == 'K'
                        && start[2] == 3
                        && start[3] == 4;
        boolean pickle = start.length >= 2 && start[0] == (byte) 0x80;
        boolean header = start.length >= 9 && start[8] == '{';
        return (zip || pickle) && !header;
    }

    static SafetensorsException refuse(Path file) {
        String name = String.valueOf(file.getFileName());
        int dot = name.lastIndexOf('.');
        String target = (dot < 0 ? name : name.substring(0, dot)) + ".safetensors";
        return new SafetensorsException(
                SafetensorsException.Reason.PICKLE,
                file,
                "expected a safetensors file, found a Python pickle, which can run code and is"
                        + " never loaded. Convert it where you trust it, in Python:"
                        + " safetensors.torch.save_file(torch.load(\""
                        + name
                        + "\", map_location=\"cpu\", weights_only=True), \""
                        + (target.equals(name) ? "converted.safetensors" : target)
                        + "\", metadata={\"format\": \"pt\"})");
    }
}
