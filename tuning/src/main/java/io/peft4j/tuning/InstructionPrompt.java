package io.peft4j.tuning;

/**
 * The prompt of instructions in the form of CommonSense-170k: Alpaca's words, with the line ends
 * and the sixteen spaces that LLM-Adapters (arXiv:2304.01933) and CoreNet put between them. Models
 * that are trained on it expect it space by space.
 */
public final class InstructionPrompt {

    private static final String BREAK = "\n" + " ".repeat(16);
    private static final String ALONE =
            "Below is an instruction that describes a task. Write a response that appropriately"
                    + " completes the request.  \n";
    private static final String WITH_INPUT =
            "Below is an instruction that describes a task, paired with an input that provides"
                    + " further context. Write a response that appropriately completes the"
                    + " request. \n";

    private InstructionPrompt() {}

    /**
     * Writes the prompt, up to where the output begins.
     *
     * @param instruction what to do
     * @param input what to do it with; may be empty
     * @return the text before the output
     */
    public static String of(String instruction, String input) {
        return (input.isEmpty() ? ALONE : WITH_INPUT)
                + section("Instruction", instruction)
                + (input.isEmpty() ? "" : BREAK + section("Input", input))
                + BREAK
                + section("Response", "");
    }

    private static String section(String title, String text) {
        return BREAK + "### " + title + ":" + BREAK + text;
    }
}
