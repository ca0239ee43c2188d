package dev.kindling.house;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows of the house point down; think hard about layering before editing this file. */
@AnalyzeClasses(
    packages = "dev.kindling",
    importOptions = {ImportOption.DoNotIncludeTests.class, ImportRulesTest.NoTestJars.class})
class ImportRulesTest {
  /**
   * The worker's cases of the storage port come in a jar, which the option above takes for main.
   */
  static final class NoTestJars implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("-tests.jar");
    }
  }

  private static final String[] SPARK = {"org.apache.spark..", "scala..", "org.apache.hadoop.."};

  @ArchTest
  static final ArchRule driver_alone_imports_spark =
      noClasses()
          .that()
          .resideOutsideOfPackages("dev.kindling.driver..", "dev.kindling.benchmarks..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(SPARK);

  @ArchTest
  static final ArchRule kernels_see_no_other_room =
      noClasses()
          .that()
          .resideInAPackage("dev.kindling.kernels..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.kindling.comm..",
              "dev.kindling.optim..",
              "dev.kindling.moe..",
              "dev.kindling.configs..",
              "dev.kindling.worker..",
              "dev.kindling.driver..");

  @ArchTest
  static final ArchRule configs_see_no_other_room =
      noClasses()
          .that()
          .resideInAPackage("dev.kindling.configs..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.kindling.kernels..",
              "dev.kindling.comm..",
              "dev.kindling.optim..",
              "dev.kindling.moe..",
              "dev.kindling.worker..",
              "dev.kindling.driver..");

  @ArchTest static final ArchRule comm_sees_only_kernels = sideRoom("comm", "optim", "moe");

  @ArchTest static final ArchRule optim_sees_only_kernels = sideRoom("optim", "comm", "moe");

  @ArchTest static final ArchRule moe_sees_only_kernels = sideRoom("moe", "comm", "optim");

  @ArchTest
  static final ArchRule worker_does_not_know_the_driver =
      noClasses()
          .that()
          .resideInAPackage("dev.kindling.worker..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.kindling.driver..");

  @ArchTest
  static final ArchRule nobody_reads_java_serialisation =
      noClasses()
          .should()
          .dependOnClassesThat()
          .haveNameMatching(
              "java\\.io\\.ObjectInput(Stream.*|Validation)|java\\.beans\\.XMLDecoder"
                  + "|javax\\.crypto\\.SealedObject|java\\.security\\.SignedObject|java\\.rmi\\..*"
                  + "|org\\.apache\\.commons\\.lang3\\.SerializationUtils");

  @ArchTest
  static final ArchRule native_calls_live_in_backends =
      noClasses()
          .that()
          .resideOutsideOfPackages(
              "dev.kindling.kernels.backend..",
              "dev.kindling.comm.nccl..",
              "dev.kindling.benchmarks..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.bytedeco..");

  private static ArchRule sideRoom(String room, String neighbour, String other) {
    return noClasses()
        .that()
        .resideInAPackage("dev.kindling." + room + "..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.kindling." + neighbour + "..",
            "dev.kindling." + other + "..",
            "dev.kindling.configs..",
            "dev.kindling.worker..",
            "dev.kindling.driver..")
        .allowEmptyShould(true);
  }
}
