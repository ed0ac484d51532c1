// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AnchorHandler} from "./AnchorHandler.sol";
import {AnchorTest} from "./AnchorTest.sol";

contract InvariantTest is AnchorTest {
    AnchorHandler private handler;

    function setUp() public override {
        super.setUp();
        handler = new AnchorHandler(anchored);
    }

    /// @dev Where forge finds what to call at random.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_headsAreThoseOfWhatWasAccepted() external view {
        handler.requireHeads();
    }

    function invariant_streamsAreChainsWithoutGaps() external view {
        handler.requireChains();
    }
}
