// The objective in long double, whose exponents reach ±16384, behind an interface of plain arrays: so it can be compiled
// apart from its users, for another instruction level at which Eigen aligns memory differently.
#pragma once

#include "propagate.hpp"

#include <memory>

namespace hessorbit {

// Methods as those of Objective<long double>.
class WideObjective {
public:
    using Wide = long double;

    virtual ~WideObjective() = default;
    virtual void value_and_gradient(const Wide* theta, Index batch, int threads, Wide* loss, Wide* gradient) = 0;
    virtual void outputs(const Wide* theta, Index batch, int threads, Wide* out) = 0;
    virtual void residual(const Wide* theta, Index batch, int threads, Wide* out) = 0;
    virtual void jacobian(const Wide* theta, Index batch, int threads, Wide* out) = 0;
    virtual void gauss_newton_factor(const Wide* theta, Index batch, int threads, Wide* out) = 0;
    virtual void hessian_diagonal(const Wide* theta, Index batch, int threads, Wide* out) = 0;
    virtual void hessian(const Wide* theta, Index batch, int threads, bool gauss_newton, Wide* out) = 0;
    virtual void hessian_block(const Wide* theta, Index batch, const std::vector<Index>& parameters, int threads,
                               bool gauss_newton, Wide* out) = 0;
    virtual void neuron_blocks(const Wide* theta, Index batch, int threads, bool gauss_newton, Wide* out) = 0;
    virtual void sample_gradients(const Wide* theta, Index batch, const std::vector<Index>& parameters, int threads,
                                  Wide* out) = 0;
    virtual void sample_hessians(const Wide* theta, Index batch, const std::vector<Index>& parameters, int threads,
                                 Wide* out) = 0;
    virtual void empirical_fisher(const Wide* theta, Index batch, const std::vector<Index>& parameters, int threads,
                                  Wide* out) = 0;
    virtual void product(const Wide* theta, Index batch, const Wide* v, Index directions, bool shared, int threads,
                         Wide* out) = 0;
};

// Data as plain arrays, each (rows, columns); own ones null where Data has none.
struct DataArrays {
    Index samples, columns, features, outputs;
    const double *input, *target, *weight, *own_input, *own_target;

    explicit DataArrays(const Data<double>& data)
        : samples(data.samples), columns(data.features.cols()), features(data.features.rows()),
          outputs(data.targets.rows()), input(data.features.data()), target(data.targets.data()),
          weight(data.weight.data()), own_input(data.own_features.data()), own_target(data.own_targets.data()) {}
};

using WideObjectiveFactory = std::unique_ptr<WideObjective> (*)(const Network&, const Loss&, double l2,
                                                                const DataArrays&);

}  // namespace hessorbit
