package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import io.peft4j.adapters.closed.ClosedBlock;
import java.io.InputStream;
import java.lang.module.Configuration;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ClosedModuleTest {

    @Test
    void aFieldOfAClosedModuleIsReportedAndTheChildrenAreReplaced() throws Exception {
        Block tree = blockOfClosedModule();
        assertThat(tree.getClass()).isNotEqualTo(ClosedBlock.class);
        Linear old = (Linear) tree.getChildren().valueAt(0);
        CountingLinear layer = CountingLinear.like(old);

        BlockReferences references = BlockReferences.replace(tree, Map.of(old, layer));

        assertThat(tree.getChildren().valueAt(0)).isSameAs(layer);
        assertThat(references.replaced(old)).isEqualTo(1);
        assertThat(references.unreached()).hasSize(1);
        BlockReferences.Unreached left = references.unreached().get(0);
        assertThat(left.block()).isSameAs(old);
        assertThat(left.place()).isEqualTo(ClosedBlock.class.getName() + ".layer");
        assertThat(left.reason()).contains("module closed.blocks does not \"opens");

        references.undo();
        assertThat(tree.getChildren().valueAt(0)).isSameAs(old);
    }

    private static Block blockOfClosedModule() throws Exception {
        String packageName = ClosedBlock.class.getPackageName();
        ModuleDescriptor descriptor =
                ModuleDescriptor.newModule("closed.blocks").exports(packageName).build();
        Configuration configuration =
                ModuleLayer.boot()
                        .configuration()
                        .resolve(
                                new OneModule(descriptor),
                                ModuleFinder.of(),
                                Set.of("closed.blocks"));
        ClassLoader parent = ClosedBlock.class.getClassLoader();
        ModuleLayer.Controller controller =
                ModuleLayer.defineModulesWithOneLoader(
                        configuration, List.of(ModuleLayer.boot()), parent);
        Module module = controller.layer().findModule("closed.blocks").orElseThrow();
        controller.addReads(module, parent.getUnnamedModule());
        Class<?> type = module.getClassLoader().loadClass(ClosedBlock.class.getName());
        return (Block) type.getConstructor().newInstance();
    }

    /** A module whose classes are those of this test. */
    private record OneModule(ModuleDescriptor descriptor) implements ModuleFinder {

        @Override
        public Optional<ModuleReference> find(String name) {
            return name.equals(descriptor.name()) ? Optional.of(reference()) : Optional.empty();
        }

        @Override
        public Set<ModuleReference> findAll() {
            return Set.of(reference());
        }

        private ModuleReference reference() {
            return new ModuleReference(descriptor, URI.create("test:closed.blocks")) {
                @Override
                public ModuleReader open() {
                    return new TestClasses();
                }
            };
        }
    }

    private static final class TestClasses implements ModuleReader {

        @Override
        public Optional<URI> find(String name) {
            return Optional.ofNullable(ClosedBlock.class.getResource("/" + name))
                    .map(url -> URI.create(url.toString()));
        }

        @Override
        public Optional<InputStream> open(String name) {
            return Optional.ofNullable(ClosedBlock.class.getResourceAsStream("/" + name));
        }

        @Override
        public Stream<String> list() {
            return Stream.empty();
        }

        @Override
        public void close() {}
    }
}
