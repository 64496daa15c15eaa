package io.peft4j.cli;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The command line's entry.
 *
 * <p>Results go to stdout; progress and errors go to stderr. An error is one line. The exit code is
 * 0 when all went well, 1 when something failed on the way, 2 when the request was wrong, and 130
 * when it was interrupted.
 *
 * <p>Directly after a command, {@code @FILE} stands for the arguments in a file.
 */
@Command(
        name = "peft4j",
        description = "Fine-tunes language models with LoRA and DoRA; adapters are PEFT's.",
        scope = ScopeType.INHERIT,
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        showDefaultValues = false,
        subcommands = {
            TrainCommand.class,
            DpoCommand.class,
            RewardCommand.class,
            PpoCommand.class,
            RejectionSampleCommand.class,
            EvalCommand.class,
            GenerateCommand.class,
            MergeCommand.class,
            ExportCommand.class,
            ConvertCommand.class,
            InspectCommand.class,
            CompareCommand.class,
            PipelineCommand.class
        })
public final class Peft4j implements Runnable {

    private static final String VERBOSE = "--verbose";

    @Spec private CommandSpec spec;

    @Option(
            names = VERBOSE,
            scope = ScopeType.INHERIT,
            description = "Shows the stack trace of an error.")
    private boolean verbose;

    private Peft4j() {}

    /**
     * Runs a command and ends the process with its exit code.
     *
     * @param args the command and its flags
     */
    public static void main(String[] args) {
        PrintStream stdout = System.out;
        // a library that prints to stdout must not get between the results
        System.setOut(System.err);
        int code =
                run(
                        args,
                        new PrintWriter(stdout, true, StandardCharsets.UTF_8),
                        new PrintWriter(System.err, true, StandardCharsets.UTF_8));
        GracefulStop.reported();
        // not by return: a library may have left threads that are no daemons
        System.exit(code);
    }

    /**
     * Runs a command in this process, which goes on.
     *
     * @param args the command and its flags
     * @param out takes the results
     * @param err takes progress and errors
     * @return the exit code
     */
    public static int run(String[] args, PrintWriter out, PrintWriter err) {
        Peft4j root = new Peft4j();
        CommandLine commandLine = commandLine(root).setOut(out).setErr(err);
        commandLine.setParameterExceptionHandler(
                // flags after the wrong one were not read
                (e, given) ->
                        report(e, err, root.verbose || Arrays.asList(given).contains(VERBOSE)));
        commandLine.setExecutionExceptionHandler(
                (e, command, parsed) -> report(e, err, root.verbose));
        int code;
        try {
            code = commandLine.execute(ArgumentFile.expand(args));
        } catch (UsageException | UncheckedIOException | Error e) {
            // of the file of arguments, or what picocli does not handle
            code = report(e, err, root.verbose);
        }
        out.flush();
        if (code == ExitCode.OK && out.checkError()) {
            err.println("peft4j: cannot write the results to stdout; is the disk full?");
            code = ExitCode.SOFTWARE;
        }
        err.flush();
        return code;
    }

    /** All commands, to be asked about their flags. */
    static CommandLine commandLine() {
        return commandLine(new Peft4j());
    }

    private static CommandLine commandLine(Peft4j root) {
        return new CommandLine(root)
                .setExpandAtFiles(false) // a prompt may begin with @: see ArgumentFile
                .setUsageHelpAutoWidth(false)
                .setUsageHelpWidth(100);
    }

    private static int report(Throwable e, PrintWriter err, boolean verbose) {
        err.println("peft4j: " + Failure.line(e));
        if (verbose) {
            e.printStackTrace(err);
        }
        return Failure.exitCode(e);
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "say what to do: "
                        + String.join(", ", spec.subcommands().keySet())
                        + "; peft4j --help tells more");
    }
}
