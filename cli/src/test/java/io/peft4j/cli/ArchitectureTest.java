package io.peft4j.cli;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.equivalentTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.conditions.ArchConditions.have;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.peft4j.torch.BFloat16;
import java.io.ObjectInputStream;
import java.net.URL;
import java.nio.Buffer;
import java.nio.file.Files;

/** The house of ARCHITECTURE.md, as rules. */
@AnalyzeClasses(packages = "io.peft4j", importOptions = ImportOption.DoNotIncludeTests.class)
final class ArchitectureTest {

    @ArchTest
    static final ArchRule importsPointDownOnly =
            layeredArchitecture()
                    .consideringOnlyDependenciesInLayers()
                    .layer("cli")
                    .definedBy("io.peft4j.cli..")
                    .layer("tuning")
                    .definedBy("io.peft4j.tuning..", "io.peft4j.tensorboard..")
                    .layer("serving")
                    .definedBy("io.peft4j.serving..")
                    .layer("torchscript")
                    .definedBy("io.peft4j.torchscript..")
                    .layer("models")
                    .definedBy("io.peft4j.models..")
                    .layer("dora")
                    .definedBy("io.peft4j.dora..")
                    .layer("lora")
                    .definedBy("io.peft4j.lora..")
                    .layer("ia3")
                    .definedBy("io.peft4j.ia3..")
                    .layer("adapters")
                    .definedBy("io.peft4j.adapters..")
                    .layer("files and formats")
                    .definedBy(
                            "io.peft4j.safetensors..",
                            "io.peft4j.files..",
                            "io.peft4j.text..",
                            "io.peft4j.gguf..",
                            "io.peft4j.jinja..")
                    .layer("torch")
                    .definedBy("io.peft4j.torch..")
                    .whereLayer("cli")
                    .mayNotBeAccessedByAnyLayer()
                    .whereLayer("tuning")
                    .mayOnlyBeAccessedByLayers("cli")
                    .whereLayer("serving")
                    .mayOnlyBeAccessedByLayers("cli")
                    .whereLayer("torchscript")
                    .mayOnlyBeAccessedByLayers("cli")
                    .whereLayer("models")
                    .mayOnlyBeAccessedByLayers("serving", "tuning", "cli")
                    .whereLayer("dora")
                    .mayOnlyBeAccessedByLayers("models", "serving", "tuning", "torchscript", "cli")
                    .whereLayer("lora")
                    .mayOnlyBeAccessedByLayers(
                            "dora", "models", "serving", "tuning", "torchscript", "cli")
                    .whereLayer("ia3")
                    .mayOnlyBeAccessedByLayers("cli")
                    .whereLayer("adapters")
                    .mayOnlyBeAccessedByLayers(
                            "lora",
                            "dora",
                            "ia3",
                            "models",
                            "serving",
                            "tuning",
                            "torchscript",
                            "cli");

    @ArchTest
    static final ArchRule theLayersBelowKnowNoneAbove =
            noClasses()
                    .that()
                    .resideInAnyPackage(
                            "io.peft4j.torch..",
                            "io.peft4j.safetensors..",
                            "io.peft4j.files..",
                            "io.peft4j.text..",
                            "io.peft4j.gguf..",
                            "io.peft4j.jinja..")
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            "io.peft4j.adapters..",
                            "io.peft4j.lora..",
                            "io.peft4j.dora..",
                            "io.peft4j.ia3..",
                            "io.peft4j.models..",
                            "io.peft4j.serving..",
                            "io.peft4j.tuning..",
                            "io.peft4j.torchscript..",
                            "io.peft4j.cli..");

    @ArchTest
    static final ArchRule noPackagesDependOnEachOtherInACircle =
            slices().matching("io.peft4j.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule anExperimentKnowsNoFlags =
            noClasses()
                    .that(resideInAPackage("io.peft4j.cli.compare"))
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage("io.peft4j.cli", "picocli..");

    @ArchTest
    static final ArchRule onlyTheHubsPackageConnects =
            noClasses()
                    .that(resideOutsideOfPackage("io.peft4j.hub.."))
                    .should()
                    .dependOnClassesThat()
                    .resideInAPackage("java.net.http..")
                    .orShould()
                    .callMethod(URL.class, "openStream")
                    .orShould()
                    .callMethod(URL.class, "openConnection");

    @ArchTest
    static final ArchRule theHubKnowsNoModels =
            noClasses()
                    .that()
                    .resideInAPackage("io.peft4j.hub..")
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            "io.peft4j.models..", "io.peft4j.adapters..", "io.peft4j.tuning..");

    @ArchTest
    static final ArchRule javaObjectsAreNeverDeserialised =
            noClasses().should().dependOnClassesThat().areAssignableTo(ObjectInputStream.class);

    @ArchTest
    static final ArchRule filesAreWrittenAtomically =
            noClasses()
                    .that()
                    .resideOutsideOfPackages("io.peft4j.files..", "io.peft4j.testdata..")
                    .and()
                    .doNotHaveFullyQualifiedName("io.peft4j.tuning.PeakMemory") // writes to /proc
                    .and()
                    // writes into a checkpoint that is not yet published
                    .doNotHaveFullyQualifiedName("io.peft4j.tuning.TrainerState")
                    .should()
                    .callMethodWhere(
                            target(owner(equivalentTo(Files.class)))
                                    .and(
                                            target(
                                                    nameMatching(
                                                            "write|writeString|newBufferedWriter"
                                                                    + "|newOutputStream"))));

    @ArchTest
    static final ArchRule onlyTheCommandLinePrints =
            noClasses()
                    .that(
                            resideOutsideOfPackage("io.peft4j.cli..")
                                    .and(resideOutsideOfPackage("io.peft4j.examples..")))
                    .should()
                    .accessField(System.class, "out")
                    .orShould()
                    .accessField(System.class, "err");

    /** DJL's copies put a Java buffer in the place of a tensor's memory; Tensors has others. */
    @ArchTest
    static final ArchRule tensorsAreCopiedInNativeMemory =
            noClasses()
                    .should()
                    .callMethod(NDArray.class, "copyTo", NDArray.class)
                    .orShould()
                    .callMethod(NDArray.class, "duplicate")
                    .orShould()
                    .callMethod(NDArray.class, "set", Buffer.class);

    /** DJL's engine ends the process on the type, and on others that it lacks. */
    @ArchTest
    static final ArchRule onlyTorchNamesBfloat16 =
            noClasses()
                    .that(resideOutsideOfPackage("io.peft4j.torch.."))
                    .should()
                    .accessField(DataType.class, "BFLOAT16");

    @ArchTest
    static final ArchRule everyTypeThatAUserChoosesIsChecked =
            methods()
                    .that(describe("take a DataType", ArchitectureTest::takesDataType))
                    .and()
                    .arePublic()
                    .and()
                    .doNotHaveModifier(JavaModifier.BRIDGE)
                    .and()
                    .areNotDeclaredIn(BFloat16.class)
                    .should(
                            have(
                                    describe(
                                            "a call of BFloat16.requireUsable",
                                            ArchitectureTest::callsRequireUsable)));

    private static boolean takesDataType(JavaMethod method) {
        return method.getRawParameterTypes().stream()
                .anyMatch(type -> type.isEquivalentTo(DataType.class));
    }

    private static boolean callsRequireUsable(JavaMethod method) {
        return method.getMethodCallsFromSelf().stream()
                .anyMatch(call -> call.getName().equals("requireUsable"));
    }

    @ArchTest
    static final ArchRule loggingGoesThroughSlf4j =
            noClasses().should().dependOnClassesThat().resideInAPackage("java.util.logging..");

    @ArchTest
    static final ArchRule nullIsOptInEverywhere =
            classes()
                    .that(resideInAPackage("io.peft4j.."))
                    .and()
                    .haveSimpleName("package-info")
                    .should()
                    .beAnnotatedWith("org.jspecify.annotations.NullMarked");

    @ArchTest
    static final ArchRule nothingPublicIsMutableAndStatic =
            fields().that()
                    .areStatic()
                    .and()
                    .arePublic()
                    .should()
                    .haveModifier(JavaModifier.FINAL)
                    .allowEmptyShould(true);
}
