// `_core_<level>`: what is hot, in float64, for one instruction level.
#include "bindings.hpp"
#include "interruption.hpp"

#include <hessorbit/kernel/team.hpp>

namespace {

namespace py = pybind11;

// Since Eigen 5 the first number of its versions is what was the second: "world" stays 3.
std::string eigen_version() {
#if EIGEN_MAJOR_VERSION >= 5
    const int numbers[] = {EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION, EIGEN_PATCH_VERSION};
#else
    const int numbers[] = {EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION};
#endif
    return std::to_string(numbers[0]) + "." + std::to_string(numbers[1]) + "." + std::to_string(numbers[2]);
}

py::dict config() {
    py::dict result;
    result["version"] = HESSORBIT_VERSION;
    result["level"] = HESSORBIT_LEVEL;
#if defined(__clang__)
    result["compiler"] = "clang " __clang_version__;
#elif defined(__GNUC__)
    result["compiler"] = "gcc " __VERSION__;
#else
    result["compiler"] = "unknown";
#endif
    result["eigen"] = eigen_version();
#if defined(_OPENMP)
    result["openmp"] = _OPENMP;
#else
    result["openmp"] = py::none();
#endif
    result["threads"] = hessorbit::max_threads();
    return result;
}

}  // namespace

PYBIND11_MODULE(HESSORBIT_MODULE, module, py::mod_gil_not_used()) {
    using namespace hessorbit::bindings;
    module.doc() = "What is hot, in float64, compiled for one instruction level.";
    py::module_::import("hessorbit._common");  // knows the type Network
    module.def("config", &config);
    raise_on_interruption();
    register_activation_float64(module);
    register_objective_float64(module);
    register_descent(module);
    register_trust_region(module);
    register_ldlt(module);
    register_eigenvalues(module);
}
